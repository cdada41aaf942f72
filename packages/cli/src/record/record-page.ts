// One record in full, for `flow show`.

import { relative } from "node:path";
import {
  formatBytes,
  formatDuration,
  type Layout,
  nodeFileSystem,
  type RunRecord,
  readAttempt,
  recordId,
  type StoredAttempt,
  timeText,
  valuesOf,
} from "@flow/core";
import type { Paint } from "../report/color.ts";
import { describeOutcome } from "../report/run-view.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { shortNumber, sparkline } from "../report/sparkline.ts";
import { fieldText, tagsText } from "./columns.ts";
import { seriesOf } from "./records.ts";

const SPARK_COLUMNS = 24;

/** All of it as plain JSON. */
export function recordDetails(record: RunRecord, places: Layout): object {
  const attempts = attemptsOf(record, places);
  const last = attempts.at(-1);
  return {
    id: recordId(record),
    ...record,
    commands: last?.record?.commands,
    inputs: last?.record?.inputs.deps,
    targets: last?.result?.trace?.targets,
    resources: last?.record?.resources,
    git: last?.record?.code?.git ?? last?.result?.code?.git,
    changedFiles: last?.result?.code?.changed,
    checkpoint: last?.result?.checkpoint,
    artifacts: last?.result?.artifacts,
    series: seriesOf(record, places),
  };
}

const attemptsOf = (record: RunRecord, places: Layout): readonly StoredAttempt[] =>
  record.serials.map((serial) => readAttempt(places, record.key, serial, nodeFileSystem));

type Field = readonly [label: string, values: readonly string[]];

/** Lines for a person. */
export function recordPage(record: RunRecord, places: Layout, paint: Paint): string {
  const attempts = attemptsOf(record, places);
  const lines = [
    `${paint("strong", recordId(record))}  ${sanitizeLine(record.task)}  ${paint("dim", record.file)}`,
  ];
  for (const [label, values] of fields(record, attempts, places)) {
    for (const [index, value] of values.entries()) {
      const name = (index === 0 ? label : "").padEnd(11);
      lines.push(`  ${paint("dim", name)} ${sanitizeLine(value)}`.trimEnd());
    }
  }
  return lines.join("\n");
}

function fields(
  record: RunRecord,
  attempts: readonly StoredAttempt[],
  places: Layout,
): readonly Field[] {
  const last = attempts.at(-1);
  const text = (field: string): string => fieldText(record, field);
  const one = (...parts: readonly (string | undefined)[]): readonly string[] => {
    const said = parts.filter((part) => part !== undefined && part !== "");
    return said.length === 0 ? [] : [said.join(", ")];
  };
  return [
    ["result", resultLines(record)],
    ["began", one(timeText(record.began), `run ${record.run}`)],
    ["took", one(text("duration"), labelled("cpu", text("usage.cpu")), memory(record))],
    ["where", one(record.backend, labelled("on", record.node), ...machine(record))],
    ["group", one(record.workspace, record.experiment)],
    ["tags", one(...record.labels, tagsText(record.tags))],
    ["params", pairs(record.params)],
    ["metrics", metricLines(record, places)],
    ["commands", last?.record?.commands ?? []],
    ["inputs", (last?.record?.inputs.deps ?? []).map(digested)],
    ["targets", (last?.result?.trace?.targets ?? []).map(digested)],
    ["checkpoint", one(last?.result?.checkpoint?.path)],
    ["artifacts", last?.result?.artifacts ?? []],
    ["code", codeLines(record)],
    ["changed", last?.result?.code?.changed ?? []],
    ["python", pythonLines(record)],
    ["container", one(record.environment?.container?.image)],
    ["attempts", attempts.length > 1 ? attempts.map(attemptLine) : []],
    ["record", one(relative(places.root, record.directory))],
  ];
}

const labelled = (label: string, text: string | undefined): string =>
  text === undefined || text === "" ? "" : `${label} ${text}`;

const pairs = (map: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(map).map(([name, value]) => `${name} = ${value}`);

const digested = ({ path, digest }: { readonly path: string; readonly digest: string }): string =>
  `${path}  ${digest.slice(0, 12)}`;

function resultLines({ outcome }: RunRecord): readonly string[] {
  if (outcome === undefined) return ["no result yet"];
  const words = describeOutcome(outcome);
  return "message" in outcome && outcome.message !== words ? [words, outcome.message] : [words];
}

function memory({ usage }: RunRecord): string {
  const { peakMemoryBytes, gpuPeakMemoryBytes } = usage ?? {};
  const parts = [
    peakMemoryBytes === undefined ? "" : `peak memory ${formatBytes(peakMemoryBytes)}`,
    gpuPeakMemoryBytes === undefined ? "" : `peak GPU memory ${formatBytes(gpuPeakMemoryBytes)}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

function machine({ machine: facts }: RunRecord): readonly string[] {
  if (facts === undefined) return [];
  const gpus = facts.gpus?.map(({ model }) => model) ?? [];
  return [facts.system, `${facts.cpus} × ${facts.cpu}`, formatBytes(facts.memoryBytes), ...gpus];
}

function metricLines(record: RunRecord, places: Layout): readonly string[] {
  const series = seriesOf(record, places);
  return Object.entries(record.metrics).map(([name, summary]) => {
    const { last, min, max, count } = summary;
    const range = count > 1 ? `  ${shortNumber(min)} … ${shortNumber(max)}  (${count})` : "";
    const curve = sparkline(valuesOf(series, name), SPARK_COLUMNS);
    return `${name} = ${shortNumber(last)}${range}  ${curve}`.trimEnd();
  });
}

function codeLines({ code }: RunRecord): readonly string[] {
  if (code === undefined) return [];
  const commit = code.commit === undefined ? "" : `commit ${code.commit.slice(0, 12)}`;
  const branch = code.branch === undefined ? "" : `on ${code.branch}`;
  const state = code.dirty === true ? "with changes" : "";
  const kept = code.kept ? "" : ", contents not kept";
  const git = [commit, branch, state].filter((part) => part !== "").join(" ");
  const changed = code.changed ? ["changed while it ran"] : [];
  const tree = `tree ${code.tree.slice(0, 12)}${kept}`;
  return [...(git === "" ? [] : [git]), tree, ...changed];
}

function pythonLines({ environment }: RunRecord): readonly string[] {
  const { python } = environment ?? {};
  if (python === undefined) return [];
  const { version, executable, packageCount, packages } = python;
  return [`${version}  ${executable}`, `${packageCount} packages  ${packages.slice(0, 12)}`];
}

function attemptLine({ serial, record, result }: StoredAttempt): string {
  const took = result?.durationMs === undefined ? "" : formatDuration(result.durationMs);
  const end = result === undefined ? "no result" : describeOutcome(result.outcome);
  return `#${serial}  ${record?.reason ?? ""}  ${took}  ${end}`;
}
