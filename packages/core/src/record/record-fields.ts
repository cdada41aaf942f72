// The names under which expressions, columns and sorting know what a record says. `config.` and
// `info.` are what MLXP calls parameters and the rest.

import type { Value } from "../flowfile/expression/evaluate.ts";
import { attemptKey } from "../model/ids.ts";
import type { MetricSummary } from "./attempt-record.ts";
import type { RunRecord } from "./run-record.ts";

type Read = (record: RunRecord) => Value | undefined;

/** Digits of a task's key that name it on screens. */
const SHORT_KEY = 7;

/** `9dc21e9-1`: names an attempt as long as no other key begins like it. */
export const recordId = ({ key, serial }: Pick<RunRecord, "key" | "serial">): string =>
  `${key.slice(0, SHORT_KEY)}-${serial}`;

/** Local time as text that sorts: `2026-11-21 10:15:30`. */
export function timeText(wall: number): string {
  const time = new Date(wall - new Date(wall).getTimezoneOffset() * 60_000);
  return time.toISOString().slice(0, 19).replace("T", " ");
}

const when = (wall: number | undefined): string | undefined =>
  wall === undefined ? undefined : timeText(wall);

const seconds = (milliseconds: number | undefined): number | undefined =>
  milliseconds === undefined ? undefined : milliseconds / 1000;

/** Fields that every record has a place for; times in seconds, sizes in bytes. */
const FIELDS: Readonly<Record<string, Read>> = {
  id: recordId,
  key: (record) => attemptKey(record.key, record.serial),
  task: ({ task }) => task,
  template: ({ template }) => template,
  file: ({ file }) => file,
  run: ({ run }) => run,
  serial: ({ serial }) => serial,
  attempts: ({ attempts }) => attempts,
  reason: ({ reason }) => reason,
  status: ({ status }) => status,
  failure: ({ outcome }) => (outcome?.type === "failed" ? outcome.kind : undefined),
  message: ({ outcome }) =>
    outcome !== undefined && "message" in outcome ? outcome.message : undefined,
  "exit.code": ({ exitCode }) => exitCode,
  "exit.signal": ({ signal }) => signal,
  duration: ({ durationMs }) => seconds(durationMs),
  "time.began": ({ began }) => timeText(began),
  "time.ended": ({ ended }) => when(ended),
  backend: ({ backend }) => backend,
  host: ({ node }) => node,
  "usage.cpu": ({ usage }) => usage?.cpuSeconds,
  "usage.memory": ({ usage }) => usage?.peakMemoryBytes,
  "usage.gpu_memory": ({ usage }) => usage?.gpuPeakMemoryBytes,
  "code.tree": ({ code }) => code?.tree,
  "code.commit": ({ code }) => code?.commit,
  "code.branch": ({ code }) => code?.branch,
  "code.dirty": ({ code }) => code?.dirty,
  "code.changed": ({ code }) => code?.changed,
  "python.version": ({ environment }) => environment?.python?.version,
  "python.packages": ({ environment }) => environment?.python?.packages,
  container: ({ environment }) => environment?.container?.image,
  "machine.cpu": ({ machine }) => machine?.cpu,
  "machine.system": ({ machine }) => machine?.system,
  "gpu.model": ({ machine }) => machine?.gpus?.[0]?.model,
  workspace: ({ workspace }) => workspace,
  experiment: ({ experiment }) => experiment,
  tags: ({ labels, tags }) => [...labels, ...Object.keys(tags)],
};

/** MLXP's words for how a job stands. */
const MLXP_STATUS: Readonly<Record<string, string>> = { success: "COMPLETE", running: "RUNNING" };

/** Other tools' names for the same. */
const ALIASES: Readonly<Record<string, Read>> = {
  "info.status": ({ status }) => MLXP_STATUS[status] ?? "FAILED",
  "info.hostname": ({ node }) => node,
  "time.started": ({ began }) => timeText(began),
  "usage.max_rss": ({ usage }) => usage?.peakMemoryBytes,
};

const PARTS: Readonly<Record<string, "params" | "metrics" | "tag" | "info">> = {
  params: "params",
  config: "params",
  matrix: "params",
  metrics: "metrics",
  tag: "tag",
  info: "info",
};

const STATISTICS: readonly (keyof MetricSummary)[] = [
  "first",
  "last",
  "min",
  "max",
  "mean",
  "count",
  "minStep",
  "maxStep",
];

/**
 * What stands at the dotted name; undefined when the record has nothing there. `params.` and
 * `metrics.` may be left out where no field has the name.
 */
export function fieldOf(record: RunRecord, name: string): Value | undefined {
  const read = own(FIELDS, name) ?? own(ALIASES, name);
  if (read !== undefined) return read(record);
  const { part, rest } = partOf(name);
  switch (part) {
    case "params":
      return own(record.params, rest);
    case "metrics":
      return metricOf(record, rest);
    case "tag":
      return own(record.tags, rest) ?? (record.labels.includes(rest) ? "" : undefined);
    case "info":
      return own(FIELDS, rest)?.(record);
    default:
      return own(record.params, name) ?? metricOf(record, name);
  }
}

/** What of a record a dotted name is about, and the name in there; without a part it may be any. */
function partOf(name: string): { part: (typeof PARTS)[string] | undefined; rest: string } {
  const dot = name.indexOf(".");
  return {
    part: dot === -1 ? undefined : own(PARTS, name.slice(0, dot)),
    rest: name.slice(dot + 1),
  };
}

/** `val.acc` is its last value, `val.acc.max` the largest. A metric of exactly that name comes first. */
function metricOf({ metrics }: RunRecord, name: string): number | undefined {
  const exact = own(metrics, name);
  if (exact !== undefined) return exact.last;
  const dot = name.lastIndexOf(".");
  const statistic = STATISTICS.find((one) => one === name.slice(dot + 1));
  return dot === -1 || statistic === undefined
    ? undefined
    : own(metrics, name.slice(0, dot))?.[statistic];
}

const own = <T>(map: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(map, name) ? map[name] : undefined;

/** The names that mean something for at least one of some records. */
export class FieldNames {
  /** Parameters and metrics, each once, in the order they are met. */
  readonly params: readonly string[];
  readonly metrics: readonly string[];
  readonly #tags: ReadonlySet<string>;

  constructor(records: readonly RunRecord[]) {
    const names = (of: (record: RunRecord) => readonly string[]): ReadonlySet<string> =>
      new Set(records.flatMap(of));
    this.params = [...names(({ params }) => Object.keys(params))];
    this.metrics = [...names(({ metrics }) => Object.keys(metrics))];
    this.#tags = names(({ labels, tags }) => [...labels, ...Object.keys(tags)]);
  }

  has(name: string): boolean {
    if (Object.hasOwn(FIELDS, name) || Object.hasOwn(ALIASES, name)) return true;
    const { part, rest } = partOf(name);
    switch (part) {
      case "params":
        return this.params.includes(rest);
      case "metrics":
        return this.#hasMetric(rest);
      case "tag":
        return this.#tags.has(rest);
      case "info":
        return Object.hasOwn(FIELDS, rest);
      default:
        return this.params.includes(name) || this.#hasMetric(name);
    }
  }

  #hasMetric(name: string): boolean {
    const dot = name.lastIndexOf(".");
    const isStatistic = STATISTICS.some((one) => one === name.slice(dot + 1));
    const isOfOne = dot > 0 && isStatistic && this.metrics.includes(name.slice(0, dot));
    return isOfOne || this.metrics.includes(name);
  }

  /** For suggestions. */
  get examples(): readonly string[] {
    return [
      ...Object.keys(FIELDS),
      ...this.params,
      ...this.metrics,
      ...this.params.flatMap((name) => [`params.${name}`, `config.${name}`]),
      ...this.metrics.flatMap((name) => [
        `metrics.${name}`,
        ...STATISTICS.map((statistic) => `metrics.${name}.${statistic}`),
      ]),
      ...[...this.#tags].map((name) => `tag.${name}`),
      "info.status",
    ];
  }
}

/** Numbers, and texts that are numbers, by size; other texts by letters; what is missing comes last. */
export function compareValues(a: Value | undefined, b: Value | undefined): number {
  const isNothing = (value: Value | undefined): boolean => value === undefined || value === null;
  if (isNothing(a) || isNothing(b)) return Number(isNothing(a)) - Number(isNothing(b));
  const [left, right] = [asNumber(a), asNumber(b)];
  if (left !== undefined && right !== undefined) return left - right;
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}

/** Undefined when it is no number. */
export function asNumber(value: Value | undefined): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || value.trim() === "") return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}
