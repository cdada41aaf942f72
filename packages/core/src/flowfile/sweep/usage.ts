// Which parameters a task's recipe names, itself or through a task it refers to, and which of them
// make it another task: those whose results can lie side by side.

import type { Node } from "../document/node.ts";
import { asList, child, entriesOf, textOf } from "../document/node.ts";
import type { TaskOutline } from "../tasks/declare.ts";
import type { FlowSource } from "../tasks/scope.ts";

/** Full names (`ns.lr`) of a template's parameters. */
export interface Usage {
  /** Named by the recipe. */
  readonly uses: ReadonlySet<string>;
  /**
   * Part of what the task *is*: each value is a task of its own with a record of its own. Every path
   * the task makes names it, or it makes none; never a budget.
   */
  readonly identity: ReadonlySet<string>;
  readonly budget: ReadonlySet<string>;
}

/** The keys whose text is the recipe or names results. */
const RECIPE = [
  "actions",
  "finally",
  "env",
  "cwd",
  "container",
  "track",
  "deps",
  "uses",
  "targets",
  "outputs",
  "values",
  "checkpoint",
  "metrics",
  "when",
  "require",
  "fresh",
];

/** A parameter's name across files: `ns/sub/` and `lr` make `ns.sub.lr`. */
export const fullName = (namespace: string, name: string): string =>
  namespace.replaceAll("/", ".") + name;

/** The usage of every template that names a parameter or has a budget, by its name. */
export function readUsage(outlines: readonly TaskOutline[]): ReadonlyMap<string, Usage> {
  const direct = new Map<TaskOutline, ReadonlySet<string>>();
  for (const outline of outlines) {
    const mentioned = mentionsIn(outline);
    if (mentioned.size > 0) direct.set(outline, mentioned);
  }
  const byName = direct.size > 0 ? namesOf(outlines) : undefined;
  const result = new Map<string, Usage>();
  for (const outline of outlines) {
    const budget = budgetOf(outline);
    if (byName === undefined) {
      if (budget !== NO_NAMES) {
        result.set(outline.name, { uses: NO_NAMES, identity: NO_NAMES, budget });
      }
      continue;
    }
    const uses = new Set<string>();
    collect(outline, byName, direct, uses, new Set());
    if (uses.size === 0 && budget === NO_NAMES) continue;
    const products = productsOf(outline);
    const named = products.map((node) => productNames(node, outline, uses));
    const identity = [...uses].filter(
      (name) => !budget.has(name) && isWork(outline) && named.every((names) => names.has(name)),
    );
    result.set(outline.name, { uses, identity: new Set(identity), budget });
  }
  return result;
}

const NO_NAMES: ReadonlySet<string> = new Set();

function budgetOf(outline: TaskOutline): ReadonlySet<string> {
  const node = nodeOf(outline, "budget");
  if (node === undefined) return NO_NAMES;
  return new Set(asList(node).map((name) => fullName(outline.source.namespace, textOf(name))));
}

/** A task without actions groups others: it has no result of its own. */
const isWork = (outline: TaskOutline): boolean => nodeOf(outline, "actions") !== undefined;

function namesOf(outlines: readonly TaskOutline[]): ReadonlyMap<string, TaskOutline> {
  const byName = new Map<string, TaskOutline>();
  for (const outline of outlines) {
    for (const alias of asList(nodeOf(outline, "alias"))) {
      byName.set(outline.source.namespace + textOf(alias), outline);
    }
  }
  for (const outline of outlines) byName.set(outline.name, outline);
  return byName;
}

/** What the task names, and what the tasks name that it takes something of one-to-one. */
function collect(
  outline: TaskOutline,
  byName: ReadonlyMap<string, TaskOutline>,
  direct: ReadonlyMap<TaskOutline, ReadonlySet<string>>,
  into: Set<string>,
  seen: Set<TaskOutline>,
): void {
  if (seen.has(outline)) return;
  seen.add(outline);
  for (const name of direct.get(outline) ?? []) into.add(name);
  if (!isWork(outline)) return;
  for (const reference of references(outline)) {
    const found = find(reference, outline.source.namespace, byName);
    if (found !== undefined) collect(found, byName, direct, into, seen);
  }
}

/** Tasks named in `deps` and `uses` as they are, without a choice of members. */
function references(outline: TaskOutline): readonly string[] {
  const deps = nodeOf(outline, "deps");
  const entries = [
    ...asList(deps),
    ...[...entriesOf(deps)].flatMap(([, { value }]) => asList(value)),
    ...[...entriesOf(nodeOf(outline, "uses"))].map(([, { value }]) => value),
  ];
  return entries.flatMap((node) => {
    const isUse = node.kind === "scalar" && !asList(deps).includes(node);
    const task = isUse ? node : child(node, "task");
    if (task === undefined || child(node, "where") !== undefined) return [];
    const text = textOf(task);
    return /[@[]/.test(text) ? [] : [text];
  });
}

/** A name, or a name with the key of a value behind it. */
function find(
  text: string,
  namespace: string,
  byName: ReadonlyMap<string, TaskOutline>,
): TaskOutline | undefined {
  for (let end = text.length; end > 0; end = text.lastIndexOf(".", end - 1)) {
    const name = text.slice(0, end);
    const found = byName.get(namespace + name) ?? byName.get(name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function mentionsIn(outline: TaskOutline): ReadonlySet<string> {
  if (outline.source.params.isEmpty) return NO_NAMES;
  const names = new Set<string>();
  for (const key of RECIPE) {
    for (const map of [outline.fields.own, outline.fields.defaults]) {
      const node = child(map, key);
      if (node !== undefined) addMentions(node, outline.source, names);
      if (node !== undefined && key !== "env") break;
    }
  }
  if (names.size === 0) return NO_NAMES;
  const members = outline.matrix.members;
  const isShadowed = (local: string): boolean =>
    members.length > 0 && members.every(({ values }) => values.has(local));
  const { namespace } = outline.source;
  return new Set(
    [...names].filter((local) => !isShadowed(local)).map((local) => fullName(namespace, local)),
  );
}

/** Adds the parameters of a file that a node's texts name. */
export function addMentions(node: Node, source: FlowSource, into: Set<string>): void {
  if (node.kind === "list") for (const item of node.items) addMentions(item, source, into);
  else if (node.kind === "map") {
    for (const { value } of node.entries.values()) addMentions(value, source, into);
  } else {
    for (const name of mentions(node.text, source)) into.add(name);
  }
}

function mentions(text: string, { params }: FlowSource): readonly string[] {
  if (!text.includes("params.")) return [];
  return [...text.matchAll(/\bparams\.([\w.-]+)/g)].flatMap(([, name = ""]) => {
    // A dot or a dash behind the name belongs to the text around it.
    for (let end = name.length; end > 0; end -= 1) {
      if (params.has(name.slice(0, end))) return [name.slice(0, end)];
    }
    return [];
  });
}

/** The texts of the paths that nobody else may make. */
function productsOf(outline: TaskOutline): readonly Node[] {
  const targets = nodeOf(outline, "targets");
  const isOne = targets?.kind === "map" && targets.entries.has("path");
  const listed =
    targets?.kind === "map" && !isOne
      ? [...targets.entries.values()].map(({ value }) => value)
      : asList(targets);
  const checkpoint = nodeOf(outline, "checkpoint");
  const place = child(checkpoint, "path") ?? checkpoint;
  const isPlace = place?.kind === "scalar" && typeof place.value === "string";
  const values = nodeOf(outline, "values");
  return [
    ...listed.map((node) => child(node, "path") ?? node),
    ...(isPlace ? [place] : []),
    ...(values === undefined ? [] : [values]),
  ];
}

/** Parameters that tell this path apart. A task's own name does once the command line is in it. */
function productNames(
  node: Node,
  { source }: TaskOutline,
  uses: ReadonlySet<string>,
): ReadonlySet<string> {
  const local = new Set<string>();
  addMentions(node, source, local);
  const names = new Set([...local].map((name) => fullName(source.namespace, name)));
  if (/\btask\.(?:id|slug)\b/.test(textOf(node))) {
    for (const name of uses) {
      const own = name.slice(source.namespace.length);
      if (fullName(source.namespace, own) === name && source.given.has(own)) names.add(name);
    }
  }
  return names;
}

function nodeOf({ fields }: TaskOutline, key: string): Node | undefined {
  return child(fields.own, key) ?? child(fields.defaults, key);
}
