// Dependencies: paths, directories, globs, keys of a file, and targets of other tasks.

import { didYouMean } from "../../diagnostics/suggest.ts";
import type { TaskId } from "../../model/ids.ts";
import type { Dep, Span, Target, ValueUse } from "../../model/task.ts";
import type { MapNode, Node, ScalarNode } from "../document/node.ts";
import { asList, child, entriesOf, spanOf, textOf } from "../document/node.ts";
import { asArgument } from "../../graph/paths.ts";
import { isGlob, resolvePath } from "../paths.ts";
import type { TemplateValue } from "../template/template.ts";
import { fillItems } from "../template/template.ts";
import { bestCall, readBest, refuseBest } from "./best.ts";
import type { Member, TaskTemplate } from "./declare.ts";
import type { Referrer, Selected, TaskIndex } from "./references.ts";
import type { Loading, NamedPaths } from "./scope.ts";
import { selectMembers } from "./where.ts";

/** What the dependencies of a member come to. */
export interface Dependencies {
  readonly deps: readonly Dep[];
  /** Tasks that come first without being read: `{task}` without targets. */
  readonly after: readonly TaskId[];
}

const DEP_KEYS = ["path", "file", "task"];

/** Reads the dependencies of a member and makes them known in its scope. */
export function readDeps(
  template: TaskTemplate,
  member: Member,
  index: TaskIndex,
  loading: Loading,
): Dependencies {
  const reader = new DepReader(template, member, index, loading);
  const node = member.reader.node("deps");
  let named = NO_NAMES;
  const isNamed = node?.kind === "map" && !DEP_KEYS.some((key) => node.entries.has(key));
  if (isNamed) {
    const values = new Map<string, TemplateValue>();
    for (const [name, { value }] of node.entries) {
      const before = reader.deps.length;
      const isMany = asList(value)
        .map((one) => reader.read(name, one))
        .some(Boolean);
      values.set(
        name,
        namedValue(name, reader.deps.slice(before), isMany || value.kind === "list"),
      );
    }
    named = values;
  } else {
    for (const item of asList(node)) reader.read(undefined, item);
  }
  // Copies take no more room than they need, and large projects consist of tasks with few deps.
  const deps = reader.deps.slice();
  const { after } = reader;
  member.scope.setDeps(asPaths(deps, named));
  return { deps, after };
}

const NO_NAMES: ReadonlyMap<string, TemplateValue> = new Map();

function namedValue(name: string, deps: readonly Dep[], isMany: boolean): TemplateValue {
  if (deps.some(isLate)) return { kind: "late", dep: name };
  const paths = deps.map((dep) => asArgument(pathOf(dep)));
  const [only] = paths;
  if (!isMany && only !== undefined && paths.length === 1) return { kind: "text", text: only };
  return { kind: "list", items: paths };
}

function asPaths(deps: readonly Dep[], named: ReadonlyMap<string, TemplateValue>): NamedPaths {
  return {
    all: deps.map(pathOf),
    named,
    isLate: deps.some(isLate),
  };
}

/** Only known when the task is ready: matches of a glob, the best candidate, trials that were not ended early. */
const isLate = (dep: Dep): boolean =>
  dep.kind === "glob" ||
  (dep.kind !== "keys" && (dep.candidate !== undefined || dep.isTrial === true));

const pathOf = (dep: Dep): string => (dep.kind === "glob" ? dep.pattern : dep.path);

class DepReader {
  readonly deps: Dep[] = [];
  readonly after: TaskId[] = [];
  readonly #template: TaskTemplate;
  readonly #member: Member;
  readonly #index: TaskIndex;
  readonly #loading: Loading;

  constructor(template: TaskTemplate, member: Member, index: TaskIndex, loading: Loading) {
    this.#template = template;
    this.#member = member;
    this.#index = index;
    this.#loading = loading;
  }

  /** Adds what one entry stands for; true when that is a list by its nature. */
  read(name: string | undefined, node: Node): boolean {
    if (node.kind === "scalar") {
      const best = bestCall(node);
      if (best !== undefined) return this.read(name, best);
      return this.#paths(name, node, node, undefined);
    }
    if (node.kind !== "map" || !this.#isOneKind(node)) return false;
    const task = child(node, "task");
    if (task?.kind === "scalar") return this.#targetsOf(name, task, node);
    const file = child(node, "file");
    if (file?.kind === "scalar") return this.#keysOf(name, file, node);
    const path = child(node, "path");
    return path?.kind === "scalar" && this.#paths(name, path, node, node);
  }

  #isOneKind(node: MapNode): boolean {
    const { report } = this.#loading;
    const kinds = DEP_KEYS.filter((key) => node.entries.has(key));
    if (kinds.length !== 1) {
      const message =
        kinds.length === 0
          ? "a dependency needs `path`, `file` or `task`"
          : `a dependency has one of \`path\`, \`file\` and \`task\`, found ${kinds.map((kind) => `\`${kind}\``).join(" and ")}`;
      report.error("missing-key", spanOf(node), message);
      return false;
    }
    const allowed: Readonly<Record<string, readonly string[]>> = {
      path: ["path", "check", "optional", "external"],
      file: ["file", "keys", "optional"],
      task: ["task", "target", "where", "optional", "best", "per"],
    };
    const kind = kinds[0] ?? "";
    for (const [key, entry] of node.entries) {
      if (allowed[kind]?.includes(key) === true || key.startsWith("x-")) continue;
      report.error("conflict", spanOf(entry.key), `\`${key}\` does not go with \`${kind}\``);
      return false;
    }
    return true;
  }

  #paths(
    name: string | undefined,
    node: ScalarNode,
    entry: Node,
    map: MapNode | undefined,
  ): boolean {
    const { reader } = this.#member;
    const optional = isTrue(child(map, "optional"));
    const external = isTrue(child(map, "external"));
    const check = textOf(child(map, "check") ?? node);
    const texts = fillItems(node, reader.filling);
    for (const text of texts) {
      const { path, isDirectory, isOutside } = resolvePath(
        text,
        this.#template.source.folder,
        this.#loading.root,
      );
      if (!this.#isAllowed(text, path, isOutside && !external, node)) continue;
      const common = { name, from: undefined, optional, span: spanOf(entry) };
      const isPattern = map === undefined && isGlob(text);
      if (isPattern)
        this.deps.push({ kind: "glob", pattern: isDirectory ? `${path}/` : path, ...common });
      else {
        this.deps.push({
          kind: isDirectory ? "directory" : "file",
          path,
          check: map !== undefined && (check === "mtime" || check === "size") ? check : "content",
          external,
          ...common,
        });
      }
    }
    return texts.length !== 1;
  }

  #isAllowed(text: string, path: string, isOutside: boolean, node: Node): boolean {
    const { report } = this.#loading;
    if (text === "") {
      report.error("bad-value", spanOf(node), "this dependency is empty");
      return false;
    }
    if (isOutside) {
      report.error(
        "outside-root",
        spanOf(node),
        `the dependency \`${path}\` lies outside the project`,
        {
          fix: `If it belongs there, write {path: ${text}, external: true}.`,
        },
      );
      return false;
    }
    return true;
  }

  #keysOf(name: string | undefined, file: ScalarNode, node: MapNode): boolean {
    const { reader } = this.#member;
    const keys = reader.texts(child(node, "keys"));
    if (keys.length === 0) {
      this.#loading.report.error(
        "missing-key",
        spanOf(node),
        "a dependency on a `file` needs its `keys`",
        {
          fix: "Name the keys that count, or write the path alone when the whole file counts.",
        },
      );
      return false;
    }
    const text = reader.text(file) ?? "";
    const { path, isOutside } = resolvePath(text, this.#template.source.folder, this.#loading.root);
    if (!this.#isAllowed(text, path, isOutside, file)) return false;
    const optional = isTrue(child(node, "optional"));
    this.deps.push({
      kind: "keys",
      path,
      keys,
      name,
      from: undefined,
      optional,
      span: spanOf(node),
    });
    return false;
  }

  #targetsOf(name: string | undefined, task: ScalarNode, node: MapNode): boolean {
    const span = spanOf(task);
    const { namespace } = this.#template.source;
    const referrer: Referrer = { namespace, member: this.#member };
    const text = this.#member.reader.text(task) ?? "";
    const all = this.#index.resolve(text, referrer, span);
    if (all === undefined) return false;
    this.#loading.searches
      .find(({ template }) => template === all.template.name)
      ?.users.push(this.#template.name);
    const selected = selectMembers(all, child(node, "where"), this.#member, this.#loading);
    const best = readBest(node, all.template, this.#member.reader, spanOf(node));
    if (best === false) return false;
    // Trials that are ended early make nothing; who gathers does without them.
    const isTrial = selected.gathered && this.#isPruned(selected.template);
    const optional = isTrue(child(node, "optional"));
    const targetNode = child(node, "target");
    const wanted = this.#member.reader.text(targetNode);
    for (const member of selected.members) {
      if (member.id === this.#member.id) {
        this.#loading.report.error("self-dependency", span, `\`${member.id}\` depends on itself`);
        return false;
      }
      const targets =
        wanted === undefined
          ? member.targets
          : this.#targetNamed(wanted, member, selected, spanOf(targetNode ?? task));
      if (targets.length === 0) this.after.push(member.id);
      if (best !== undefined && targets.length !== 1) {
        refuseBest(member, targets.length, targetNode ?? task, this.#loading);
        return false;
      }
      for (const target of targets) {
        const dep = asDep(name, target, member.id, optional || isTrial, span);
        if (best !== undefined) this.deps.push({ ...dep, optional: true, candidate: best(member) });
        else this.deps.push(isTrial ? { ...dep, isTrial } : dep);
      }
    }
    return best === undefined ? selected.gathered : best.isMany;
  }

  /** Its members may be ended early, or are each for one that may. */
  #isPruned({ members: [first], source }: TaskTemplate): boolean {
    if (first === undefined) return false;
    if (child(first.reader.node("sweep"), "stop") !== undefined) return true;
    const each = first.reader.text(first.reader.node("each"));
    const origin = each === undefined ? undefined : this.#index.find(each, source.namespace);
    return origin !== undefined && this.#isPruned(origin);
  }

  #targetNamed(wanted: string, member: Member, selected: Selected, span: Span): readonly Target[] {
    const { folder } = selected.template.source;
    const { path } = resolvePath(wanted, folder, this.#loading.root);
    const found = member.targets.filter((target) => target.name === wanted || target.path === path);
    if (found.length === 0) {
      const names = member.targets.map((target) => target.name ?? target.path);
      this.#loading.report.error(
        "unknown-target",
        span,
        `\`${selected.template.name}\` has no target \`${wanted}\``,
        {
          fix:
            didYouMean(wanted, names) ??
            (names.length === 0
              ? "It has no targets."
              : `It has: ${names.slice(0, 8).join(", ")}.`),
        },
      );
    }
    return found;
  }
}

function asDep(
  name: string | undefined,
  target: Target,
  from: TaskId,
  optional: boolean,
  span: Span,
): Extract<Dep, { readonly kind: "file" | "directory" }> {
  return {
    kind: target.kind,
    path: target.path,
    check: "content",
    external: false,
    name,
    from,
    optional: optional || target.optional,
    span,
  };
}

const isTrue = (node: Node | undefined): boolean => node?.kind === "scalar" && node.value === true;

/** `after:`: tasks that come first, in the order named, each once. */
export function readAfter(
  template: TaskTemplate,
  member: Member,
  index: TaskIndex,
  implied: readonly TaskId[],
): readonly TaskId[] {
  const node = member.reader.node("after");
  if (node === undefined) return implied;
  const after = new Set(implied);
  const referrer: Referrer = { namespace: template.source.namespace, member };
  for (const item of asList(node)) {
    for (const text of member.reader.texts(item)) {
      const selected = index.resolve(text, referrer, spanOf(item));
      for (const { id } of selected?.members ?? []) {
        if (id !== member.id) after.add(id);
      }
    }
  }
  return [...after];
}

/** `uses:`: values of other tasks by name, `task.key` or `{task, key}`. */
export function readUses(
  template: TaskTemplate,
  member: Member,
  index: TaskIndex,
): readonly ValueUse[] {
  const node = member.reader.node("uses");
  if (node === undefined) return NO_USES;
  const uses: ValueUse[] = [];
  const referrer: Referrer = { namespace: template.source.namespace, member };
  for (const [name, { value }] of entriesOf(node)) {
    const span = spanOf(value);
    const text = member.reader.text(value.kind === "map" ? child(value, "task") : value) ?? "";
    const [task, dotted] =
      value.kind === "map" ? [text, undefined] : splitUse(text, index, template.source.namespace);
    const key = member.reader.text(child(value, "key")) ?? dotted;
    const selected = index.resolve(task, referrer, span);
    if (selected === undefined) continue;
    const from = selected.members.map(({ id }) => id);
    uses.push({ name, from, gathered: selected.gathered, key, span });
  }
  return uses;
}

const NO_USES: readonly ValueUse[] = [];

/** Task names may hold dots, so the longest prefix that is a task is the task. */
function splitUse(
  text: string,
  index: TaskIndex,
  namespace: string,
): readonly [string, string | undefined] {
  const members = /^(.*\]|[^@]*@.*?)\.([A-Za-z_].*)$/.exec(text);
  if (members?.[1] !== undefined) return [members[1], members[2]];
  for (let end = text.length; end > 0; end = text.lastIndexOf(".", end - 1)) {
    const name = text.slice(0, end);
    if (index.find(name, namespace) !== undefined) {
      return [name, end === text.length ? undefined : text.slice(end + 1)];
    }
  }
  return [text, undefined];
}
