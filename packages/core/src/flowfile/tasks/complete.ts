// Second pass over the tasks: with every member and its targets known, each becomes whole.

import type { Action, Checkpoint, Condition, MetricSource, Task, Track } from "../../model/task.ts";
import type { Node } from "../document/node.ts";
import { asList, child, entriesOf, spanOf, textOf } from "../document/node.ts";
import { resolvePath } from "../paths.ts";
import { readActions, readEnv, warnAboutArgv } from "./actions.ts";
import type { Member, TaskTemplate } from "./declare.ts";
import { matrixPolicy } from "./declare.ts";
import { readAfter, readDeps, readUses } from "./deps.ts";
import type { FieldReader } from "./fields.ts";
import { readBackend, readBackendOptions, readPools, readResources } from "./placement.ts";
import { readRequeue, readRetries, readStop } from "./policy.ts";
import type { TaskIndex } from "./references.ts";
import type { FlowSource, Loading } from "./scope.ts";

/** The tasks of one template, in the order of its matrix. */
export function completeTasks(
  template: TaskTemplate,
  index: TaskIndex,
  loading: Loading,
): readonly Task[] {
  warnAboutArgv(template.members[0]?.reader.node("actions"), loading);
  const policy = matrixPolicy(template);
  const params = template.source.params.values;
  return template.members.map((member) => ({
    ...identity(template, member),
    ...inputs(template, member, index, loading),
    ...outputs(template, member, loading),
    ...work(template, member, params, loading),
    ...conditions(member.reader, loading),
    ...placement(template, member.reader, loading),
    ...policy,
  }));
}

type Part<K extends keyof Task> = Pick<Task, K>;

function identity(
  template: TaskTemplate,
  member: Member,
): Part<
  | "id"
  | "key"
  | "template"
  | "axes"
  | "slug"
  | "aliases"
  | "tags"
  | "desc"
  | "hidden"
  | "file"
  | "span"
> {
  const { reader, combination } = member;
  return {
    id: member.id,
    key: member.key,
    template: template.name,
    axes: combination.axes.size === 0 ? NONE : Object.fromEntries(combination.axes),
    slug: member.slug,
    aliases: reader.texts(reader.node("alias")),
    tags: reader.texts(reader.node("tags")),
    desc: reader.text(reader.node("desc")),
    hidden: reader.flag("hidden"),
    file: template.source.path,
    span: spanOf(template.nameNode),
  };
}

const NONE: Readonly<Record<string, string>> = {};

function inputs(
  template: TaskTemplate,
  member: Member,
  index: TaskIndex,
  loading: Loading,
): Part<"deps" | "after" | "uses" | "track"> {
  const { deps, after } = readDeps(template, member, index, loading);
  return {
    deps,
    after: readAfter(template, member, index, after),
    uses: readUses(template, member, index),
    track: readTrack(member.reader, template.source),
  };
}

function readTrack(reader: FieldReader, source: FlowSource): readonly Track[] {
  const node = reader.node("track");
  if (node === undefined) return [];
  return [
    ...reader.texts(child(node, "env")).map((name) => ({ kind: "env", name }) as const),
    ...asList(child(node, "cmd")).map(
      (item) => ({ kind: "cmd", command: reader.command(item), shell: source.shell }) as const,
    ),
    ...reader.texts(child(node, "text")).map((text) => ({ kind: "text", text }) as const),
  ];
}

function outputs(
  template: TaskTemplate,
  member: Member,
  loading: Loading,
): Part<"targets" | "outputs" | "checkpoint" | "metrics" | "values" | "protect"> {
  const { reader, targets } = member;
  const path = (text: string): string =>
    resolvePath(text, template.source.folder, loading.root).path;
  const values = reader.text(reader.node("values"));
  return {
    targets,
    outputs: readOutputs(reader, path),
    checkpoint: readCheckpoint(reader, path, loading),
    metrics: asList(reader.node("metrics")).flatMap((node) => readMetric(node, reader, path)),
    values: values === undefined ? undefined : path(values),
    protect: reader.flag("protect"),
  };
}

function readOutputs(
  reader: FieldReader,
  path: (text: string) => string,
): Readonly<Record<string, string>> {
  const node = reader.node("outputs");
  if (node === undefined) return NONE;
  if (node.kind !== "map") return Object.fromEntries(reader.texts(node).map((name) => [name, ""]));
  const outputs: Record<string, string> = {};
  for (const [name, { value }] of node.entries) {
    const text = reader.text(value) ?? "";
    outputs[name] = text === "" ? "" : path(text);
  }
  return outputs;
}

function readCheckpoint(
  reader: FieldReader,
  path: (text: string) => string,
  loading: Loading,
): Checkpoint | undefined {
  const node = reader.node("checkpoint");
  if (node === undefined) return undefined;
  if (node.kind === "scalar" && typeof node.value === "boolean") {
    return node.value ? { path: undefined, keep: false } : undefined;
  }
  const pathNode = node.kind === "map" ? child(node, "path") : node;
  const text = reader.text(pathNode);
  const resolved = text === undefined ? undefined : path(text);
  if (
    pathNode !== undefined &&
    resolved !== undefined &&
    /^(?:\/|\.\.(?:\/|$)|\.$)/.test(resolved)
  ) {
    loading.report.error(
      "outside-root",
      spanOf(pathNode),
      `the checkpoint \`${resolved}\` does not lie inside the project`,
      { fix: "Write `checkpoint: true` to let flow choose the place." },
    );
  }
  const keep = child(node, "keep");
  return { path: resolved, keep: keep?.kind === "scalar" && keep.value === true };
}

function readMetric(
  node: Node,
  reader: FieldReader,
  path: (text: string) => string,
): readonly MetricSource[] {
  const sources: MetricSource[] = [];
  for (const [kind, { value }] of entriesOf(node)) {
    const text = reader.text(value) ?? "";
    if (kind === "json") sources.push({ kind, path: path(text) });
    else if (kind === "jsonl") sources.push({ kind, glob: path(text) });
    else if (kind === "stdout") {
      try {
        new RegExp(text, "u");
        sources.push({ kind, pattern: text });
      } catch (error) {
        const why = error instanceof Error ? error.message.replace(/^.*\/u?: /, "") : "";
        reader.filling.report.error(
          "bad-pattern",
          spanOf(value),
          `\`${text}\` is not a regular expression: ${why}`,
        );
      }
    }
  }
  return sources;
}

function work(
  template: TaskTemplate,
  member: Member,
  params: Readonly<Record<string, string>>,
  loading: Loading,
): Part<
  | "actions"
  | "finally"
  | "env"
  | "cwd"
  | "interactive"
  | "params"
  | "budget"
  | "budgetValues"
  | "clean"
> {
  const { reader, combination } = member;
  const { source } = template;
  const cwd = reader.text(reader.node("cwd"));
  const budget = reader.texts(reader.node("budget"));
  checkBudget(budget, reader, source, loading);
  return {
    actions: readActions(reader.node("actions"), reader, source, loading),
    finally: readActions(reader.node("finally"), reader, source, loading),
    env: taskEnv(reader, source),
    cwd:
      cwd === undefined ? source.folder || "." : resolvePath(cwd, source.folder, loading.root).path,
    interactive: reader.flag("interactive"),
    params:
      combination.values.size === 0
        ? params
        : { ...params, ...Object.fromEntries(combination.values) },
    budget,
    budgetValues:
      budget.length === 0
        ? NONE
        : Object.fromEntries(budget.map((name) => [name, source.params.text(name) ?? ""])),
    clean: readClean(reader, source, loading),
  };
}

function taskEnv(reader: FieldReader, source: FlowSource): Readonly<Record<string, string>> {
  const own = reader.merged("env");
  if (own.size === 0) return source.env;
  const env: Record<string, string> = { ...source.env };
  for (const [name, value] of own) {
    if (!name.startsWith("x-")) env[name] = reader.text(value) ?? "";
  }
  return env;
}

function checkBudget(
  names: readonly string[],
  reader: FieldReader,
  source: FlowSource,
  loading: Loading,
): void {
  for (const name of names) {
    if (source.params.has(name)) continue;
    const node = reader.node("budget");
    const value = source.params.lookup(name);
    if (node !== undefined && value.kind === "problem") {
      loading.report.error(value.code, spanOf(node), value.message, { fix: value.fix });
    }
  }
}

function readClean(reader: FieldReader, source: FlowSource, loading: Loading): Task["clean"] {
  const node = reader.node("clean");
  if (node === undefined) return CLEAN_TARGETS;
  if (node.kind === "scalar") return node.text === "none" ? { kind: "none" } : CLEAN_TARGETS;
  const items = asList(node);
  const commands = items.filter((item) => textOf(item) !== "targets");
  const actions: readonly Action[] = commands.flatMap((item) =>
    readActions(item.kind === "list" ? { ...item, items: [item] } : item, reader, source, loading),
  );
  return { kind: "actions", targets: commands.length < items.length, actions };
}

const CLEAN_TARGETS: Task["clean"] = { kind: "targets" };

function conditions(
  reader: FieldReader,
  loading: Loading,
): Part<
  | "always"
  | "frozen"
  | "fresh"
  | "when"
  | "require"
  | "retries"
  | "requeue"
  | "timeoutMs"
  | "hangAfterMs"
  | "stop"
  | "allowFailure"
  | "priority"
> {
  const fresh = reader.node("fresh");
  if (reader.flag("always") && reader.flag("frozen")) {
    const node = reader.node("frozen") ?? fresh;
    loading.report.error(
      "conflict",
      node && spanOf(node),
      "`always` and `frozen` contradict each other",
      {
        fix: "Keep one of them.",
      },
    );
  }
  return {
    always: reader.flag("always"),
    frozen: reader.flag("frozen"),
    fresh: fresh === undefined ? undefined : reader.command(fresh),
    when: readCondition(reader.node("when"), reader),
    require: asList(reader.node("require")).flatMap((node) => readCondition(node, reader) ?? []),
    retries: readRetries(reader),
    requeue: readRequeue(reader),
    timeoutMs: reader.duration(reader.node("timeout")),
    hangAfterMs: reader.duration(reader.node("hang_after")),
    stop: readStop(reader),
    allowFailure: reader.flag("allow_failure"),
    priority: reader.number(reader.node("priority"), "a number", Number.isFinite) ?? 0,
  };
}

function readCondition(node: Node | undefined, reader: FieldReader): Condition | undefined {
  if (node === undefined) return undefined;
  const check = node.kind === "map" ? child(node, "check") : node;
  const message = reader.text(child(node, "message"));
  return check === undefined
    ? undefined
    : { expression: textOf(check), message, span: spanOf(check) };
}

function placement(
  template: TaskTemplate,
  reader: FieldReader,
  loading: Loading,
): Part<"resources" | "pools" | "backend" | "backendOptions" | "container" | "mounts"> {
  const mounts = reader.node("mounts");
  return {
    resources: readResources(reader),
    pools: readPools(reader, loading),
    backend: readBackend(reader, loading),
    backendOptions: readBackendOptions(template.fields, reader, loading),
    container: reader.text(reader.node("container")),
    mounts: mounts === undefined ? NONE : readEnv(mounts, reader),
  };
}
