// `flow show SEL…`: what became of a definition once parameters, matrix and defaults are in it; or a
// record in full.

import {
  type Action,
  type Dep,
  formatBytes,
  formatDuration,
  positionOf,
  type SourceFile,
  type Target,
  type Task,
  type Text,
} from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Command, Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { openProject } from "../project.ts";
import { recordDetails, recordPage } from "../record/record-page.ts";
import { findRecords, openRecords } from "../record/records.ts";
import { type Paint, paintFor } from "../report/color.ts";
import { shellWord } from "../report/names.ts";
import { sanitizeLine } from "../report/sanitize.ts";

/** `9dc21e9-1` or `train#2`; tasks are called neither. */
const isRecord = (name: string): boolean => /^[0-9a-f]{4,16}-\d+$|#(?:\d+|last)$/.test(name);

export const command: Command = async (invocation, io) => {
  if (invocation.positionals.every(isRecord)) return showRecords(invocation, io);
  const project = await openProject(invocation, io);
  if (!project.ok) return project.error;
  const { graph, selection, sources } = project.value;
  const tasks = selection.asked.flatMap((index) => graph.tasks[index] ?? []);
  if (invocation.has("json")) {
    const json = tasks.map((task) => ({ ...task, ...placeOf(task, sources) }));
    io.stdout.write(`${JSON.stringify(json, withoutSpans, 2)}\n`);
    return EXIT.ok;
  }
  const paint = paintFor(io.stdout, invocation.value("color"), io.env);
  io.stdout.write(`${tasks.map((task) => definition(task, sources, paint)).join("\n\n")}\n`);
  return EXIT.ok;
};

async function showRecords(invocation: Invocation, io: Io): Promise<ExitCode> {
  const opened = await openRecords(invocation, io);
  if (!opened.ok) return opened.error;
  const records = findRecords(invocation.positionals, opened.value, io);
  if (!records.ok) return records.error;
  const { layout } = opened.value;
  if (invocation.has("json")) {
    const json = records.value.map((record) => recordDetails(record, layout));
    io.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
    return EXIT.ok;
  }
  const paint = paintFor(io.stdout, invocation.value("color"), io.env);
  const pages = records.value.map((record) => recordPage(record, layout, paint));
  io.stdout.write(`${pages.join("\n\n")}\n`);
  return EXIT.ok;
}

/** Spans are offsets into files that a reader of JSON does not have. */
const withoutSpans = (key: string, value: unknown): unknown => (key === "span" ? undefined : value);

function placeOf({ span }: Task, sources: readonly SourceFile[]): object {
  const source = sources[span.file];
  return source === undefined ? {} : { line: positionOf(source, span.start).line };
}

function definition(task: Task, sources: readonly SourceFile[], paint: Paint): string {
  const place = { line: "?", ...placeOf(task, sources) };
  const lines = [`${paint("strong", task.id)}  ${paint("dim", `${task.file}:${place.line}`)}`];
  for (const [label, values] of fields(task)) {
    for (const [index, value] of values.entries()) {
      const name = (index === 0 ? label : "").padEnd(11);
      lines.push(`  ${paint("dim", name)} ${sanitizeLine(value)}`.trimEnd());
    }
  }
  return lines.join("\n");
}

type Field = readonly [label: string, values: readonly string[]];

/** What the task says, defaults left out. */
function fields(task: Task): readonly Field[] {
  const one = (text: string | undefined): readonly string[] => (text === undefined ? [] : [text]);
  const flag = (isSet: boolean): readonly string[] => (isSet ? ["yes"] : []);
  return [
    ["desc", one(task.desc)],
    ["tags", one(task.tags.length === 0 ? undefined : task.tags.join(", "))],
    ["alias", task.aliases],
    ["deps", task.deps.map(depText)],
    ["after", task.after],
    ["uses", task.uses.map(({ name, from, key }) => `${name} = ${from.join(", ")} ${key ?? ""}`)],
    ["targets", task.targets.map(targetText)],
    ["outputs", Object.entries(task.outputs).map(([name, path]) => `${name} = ${path}`)],
    ["checkpoint", one(task.checkpoint && (task.checkpoint.path ?? "kept by flow"))],
    ["values", one(task.values)],
    ["actions", task.actions.map(actionText)],
    ["finally", task.finally.map(actionText)],
    ["env", pairs(task.env)],
    ["cwd", one(task.cwd === "" || task.cwd === "." ? undefined : task.cwd)],
    ["params", pairs(task.params)],
    ["budget", task.budget],
    ["when", one(task.when?.expression)],
    ["require", task.require.map(({ expression }) => expression)],
    ["always", flag(task.always)],
    ["frozen", flag(task.frozen)],
    ["fresh", one(task.fresh)],
    ["resources", resources(task)],
    ["pools", pairs(task.pools)],
    ["backend", one(task.backend === "local" ? undefined : task.backend)],
    ["retries", one(task.retries.max === 0 ? undefined : retriesText(task))],
    ["timeout", one(task.timeoutMs === undefined ? undefined : formatDuration(task.timeoutMs))],
    ["stop", [`${task.stop.signal}, then ${formatDuration(task.stop.graceMs)}`]],
    ["key", [task.key]],
  ];
}

const pairs = (map: Readonly<Record<string, string | number>>): readonly string[] =>
  Object.entries(map).map(([name, value]) => `${name} = ${value}`);

function depText(dep: Dep): string {
  const path = dep.kind === "glob" ? dep.pattern : dep.path;
  const notes = [
    dep.kind === "directory" ? "directory" : "",
    dep.kind === "keys" ? `keys ${dep.keys.join(", ")}` : "",
    dep.from === undefined ? "" : `of ${dep.from}`,
    dep.optional ? "optional" : "",
  ].filter((note) => note !== "");
  return named(dep.name, notes.length === 0 ? path : `${path}  (${notes.join(", ")})`);
}

const targetText = ({ name, path, kind }: Target): string =>
  named(name, kind === "directory" ? `${path}/` : path);

const named = (name: string | undefined, text: string): string =>
  name === undefined ? text : `${name} = ${text}`;

/** As it is written down: values of dependencies that are only known later stay templates. */
export function actionText({ kind, text, argv }: Action): string {
  if (kind === "shell") return filled(text);
  return argv.map((part) => (typeof part === "string" ? shellWord(part) : filled(part))).join(" ");
}

const filled = (text: Text): string =>
  typeof text === "string"
    ? text
    : text.map((part) => (typeof part === "string" ? part : `\${{ deps.${part.dep} }}`)).join("");

function resources({ resources: asked }: Task): readonly string[] {
  const thousandths = (value: number | undefined): number | undefined =>
    value === undefined ? undefined : value / 1000;
  const shown: Readonly<Record<string, string | number | undefined>> = {
    cpus: thousandths(asked.cpusMilli),
    mem: asked.memoryBytes === undefined ? undefined : formatBytes(asked.memoryBytes),
    gpus: thousandths(asked.gpusMilli),
    gpu_mem: asked.gpuMemoryBytes === undefined ? undefined : formatBytes(asked.gpuMemoryBytes),
    gpu_model: asked.gpuModel,
    else_cpus: thousandths(asked.elseCpusMilli),
    disk: asked.diskBytes === undefined ? undefined : formatBytes(asked.diskBytes),
    time: asked.timeMs === undefined ? undefined : formatDuration(asked.timeMs),
    nodes: asked.nodes,
  };
  return Object.entries(shown).flatMap(([name, value]) =>
    value === undefined ? [] : `${name} = ${value}`,
  );
}

function retriesText({ retries }: Task): string {
  const causes = retries.causes.length === 0 ? "" : ` for ${retries.causes.join(", ")}`;
  const wait = retries.backoffMs === 0 ? "" : `, after ${formatDuration(retries.backoffMs)}`;
  return `${retries.max}${causes}${wait}`;
}
