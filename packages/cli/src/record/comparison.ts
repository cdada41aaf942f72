// What differs between records: what went in, what they ran in, what came of it.

import {
  type AttemptRecord,
  type CodeChange,
  diffManifests,
  fieldOf,
  type Layout,
  nodeFileSystem,
  type RunRecord,
  readAttempt,
  readObject,
  readTree,
  SnapshotError,
} from "@flow/core";
import { unifiedDiff } from "../report/text-diff.ts";
import { fieldText } from "./columns.ts";

/** One line: a name, and what each record says; "" where it says nothing. */
interface ComparedLine {
  readonly name: string;
  readonly values: readonly string[];
}

export interface ComparedSection {
  readonly title: string;
  readonly lines: readonly ComparedLine[];
}

/** Fields beside parameters and metrics that are worth comparing, by section. */
const FIELDS: readonly (readonly [title: string, fields: readonly string[]])[] = [
  [
    "result",
    [
      "status",
      "exit.code",
      "duration",
      "attempts",
      "usage.cpu",
      "usage.memory",
      "usage.gpu_memory",
    ],
  ],
  ["place", ["backend", "host", "machine.cpu", "machine.system", "gpu.model"]],
  ["environment", ["container", "python.version"]],
  ["code", ["code.branch", "code.commit", "code.dirty", "code.tree", "code.changed"]],
];

/** Everything about these records, the lines on which they agree included. */
export function compareRecords(
  records: readonly RunRecord[],
  places: Layout,
): readonly ComparedSection[] {
  const attempts = records.map(
    ({ key, serial }) => readAttempt(places, key, serial, nodeFileSystem).record,
  );
  const byField = (fields: readonly string[]): readonly ComparedLine[] =>
    fields.map((field) => ({
      name: field,
      values: records.map((record) => fieldText(record, field)),
    }));
  const [result, place, environment, code] = FIELDS.map(([title, fields]) => ({
    title,
    lines: byField(fields),
  })) as [ComparedSection, ComparedSection, ComparedSection, ComparedSection];
  return [
    { title: "params", lines: byName(records.map(({ params }) => params)) },
    { title: "metrics", lines: metricLines(records) },
    result,
    { title: "commands", lines: commandLines(attempts) },
    { title: "variables", lines: byName(attempts.map((attempt) => attempt?.task.env ?? {})) },
    { title: "inputs", lines: byName(attempts.map(inputDigests)) },
    code,
    {
      title: environment.title,
      lines: [...environment.lines, ...byName(records.map((one) => packagesOf(one, places)))],
    },
    place,
  ];
}

/** Only lines on which the records differ, and sections that have some. */
export const differences = (sections: readonly ComparedSection[]): readonly ComparedSection[] =>
  sections
    .map(({ title, lines }) => ({
      title,
      lines: lines.filter(({ values }) => new Set(values).size > 1),
    }))
    .filter(({ lines }) => lines.length > 0);

function byName(maps: readonly Readonly<Record<string, string>>[]): readonly ComparedLine[] {
  const names = new Set(maps.flatMap((map) => Object.keys(map)));
  return [...names].map((name) => ({ name, values: maps.map((map) => map[name] ?? "") }));
}

function metricLines(records: readonly RunRecord[]): readonly ComparedLine[] {
  const names = new Set(records.flatMap(({ metrics }) => Object.keys(metrics)));
  return [...names].flatMap((name) =>
    ["last", "min", "max"].map((statistic) => ({
      name: statistic === "last" ? name : `${name}.${statistic}`,
      values: records.map((record) =>
        String(fieldOf(record, `metrics.${name}.${statistic}`) ?? ""),
      ),
    })),
  );
}

function commandLines(attempts: readonly (AttemptRecord | undefined)[]): readonly ComparedLine[] {
  const most = Math.max(0, ...attempts.map((attempt) => attempt?.commands.length ?? 0));
  return Array.from({ length: most }, (_, index) => ({
    name: String(index + 1),
    values: attempts.map((attempt) => attempt?.commands[index] ?? ""),
  }));
}

const inputDigests = (attempt: AttemptRecord | undefined): Readonly<Record<string, string>> =>
  Object.fromEntries(
    (attempt?.inputs.deps ?? []).map(({ path, digest }) => [path, digest.slice(0, 12)]),
  );

function packagesOf({ environment }: RunRecord, places: Layout): Readonly<Record<string, string>> {
  const digest = environment?.python?.packages;
  if (digest === undefined) return {};
  try {
    const lines = readObject(places, digest).toString("utf8").trim().split("\n");
    return Object.fromEntries(lines.map((line) => line.split("==")) as [string, string][]);
  } catch (error) {
    if (error instanceof SnapshotError) return { packages: digest.slice(0, 12) };
    throw error;
  }
}

/** A file of the code that differs, with its lines where it is text. */
export interface FileDifference {
  readonly path: string;
  readonly change: "added" | "removed" | "changed";
  readonly diff: readonly string[];
}

/** Undefined when it cannot be told, because contents were not kept. */
export function codeDifference(
  before: RunRecord,
  after: RunRecord,
  places: Layout,
): readonly FileDifference[] | undefined {
  const [old, now] = [before.code, after.code];
  if (old === undefined || now === undefined) return undefined;
  if (old.tree === now.tree) return [];
  try {
    const changes = diffManifests(readTree(places, old.tree), readTree(places, now.tree));
    return changes.map((change) => fileDifference(change, places));
  } catch (error) {
    if (error instanceof SnapshotError) return undefined;
    throw error;
  }
}

function fileDifference(change: CodeChange, places: Layout): FileDifference {
  const kind =
    change.old === undefined ? "added" : change.new === undefined ? "removed" : "changed";
  const [before, after] = [contentOf(change.old, places), contentOf(change.new, places)];
  const isText = before !== undefined && after !== undefined;
  return { path: change.path, change: kind, diff: isText ? unifiedDiff(before, after) : [] };
}

/** Undefined when it is not text. */
function contentOf(entry: CodeChange["old"], places: Layout): string | undefined {
  if (entry === undefined) return "";
  if (entry.kind === "link") return entry.content;
  const data = readObject(places, entry.content);
  return data.includes(0) ? undefined : data.toString("utf8");
}
