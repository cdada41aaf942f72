// The columns of `flow runs`: those that tell records apart, or those that were asked for.

import {
  asNumber,
  FieldNames,
  fieldOf,
  formatBytes,
  formatDuration,
  type Layout,
  type MetricPoint,
  type RunRecord,
  recordId,
  timeText,
  valuesOf,
  varyingParams,
} from "@flow/core";
import type { Paint } from "../report/color.ts";
import { describeOutcome } from "../report/run-view.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { shortNumber, sparkline } from "../report/sparkline.ts";
import { STATE_SIGNS } from "../report/state-signs.ts";
import { SYMBOLS } from "../report/symbols.ts";
import type { Cell } from "../report/table.ts";
import { seriesOf } from "./records.ts";

export interface Column {
  readonly title: string;
  readonly right?: boolean;
  cell(record: RunRecord): Cell;
}

/** More columns than this do not fit on a screen. */
const MOST_PARAMS = 8;
const MOST_METRICS = 4;
const SPARK_COLUMNS = 10;

/** Which runs live is asked once for each. */
export type IsLive = (record: RunRecord) => boolean;

/** Without being asked: who, when, how long, how it ended, what varies, what came of it. */
export function usualColumns(
  records: readonly RunRecord[],
  places: Layout,
  paint: Paint,
  isLive: IsLive,
): readonly Column[] {
  const varying = varyingParams(records);
  const shown = varying.length <= MOST_PARAMS ? varying : [];
  const name = (record: RunRecord): string =>
    shown.length === varying.length ? record.template : record.task;
  const { metrics } = new FieldNames(records);
  const series = remembered(places);
  return [
    { title: "ID", cell: (record) => ({ text: recordId(record) }) },
    { title: "TASK", cell: (record) => ({ text: sanitizeLine(name(record)) }) },
    { title: "BEGAN", cell: ({ began }) => ({ text: timeText(began) }) },
    { title: "TOOK", right: true, cell: (record) => ({ text: tookText(record), right: true }) },
    { title: "RESULT", cell: (record) => resultCell(record, paint, isLive) },
    ...shown.map((param) => fieldColumn(`params.${param}`, param, series)),
    ...metrics
      .slice(0, MOST_METRICS)
      .map((metric) => fieldColumn(`metrics.${metric}`, metric, series)),
    { title: "TAGS", cell: ({ tags }) => ({ text: sanitizeLine(tagsText(tags)) }) },
  ];
}

/** One column for each of these fields, which must be known. */
export const namedColumns = (fields: readonly string[], places: Layout): readonly Column[] => {
  const series = remembered(places);
  return [
    { title: "ID", cell: (record) => ({ text: recordId(record) }) },
    ...fields
      .filter((field) => field !== "id")
      .map((field) => fieldColumn(field, field.replace(/^(?:params|metrics)\./, ""), series)),
  ];
};

type SeriesOf = (record: RunRecord) => readonly MetricPoint[];

/** Several columns may show the same record's curves. */
function remembered(places: Layout): SeriesOf {
  const known = new Map<RunRecord, readonly MetricPoint[]>();
  return (record) => {
    const series = known.get(record) ?? seriesOf(record, places);
    known.set(record, series);
    return series;
  };
}

function fieldColumn(field: string, title: string, series: SeriesOf): Column {
  const metric = field.startsWith("metrics.") ? field.slice("metrics.".length) : undefined;
  return {
    title: sanitizeLine(title),
    cell: (record) => {
      const text = fieldText(record, field);
      if (metric === undefined || !Object.hasOwn(record.metrics, metric)) return { text };
      return {
        text: `${text} ${sparkline(valuesOf(series(record), metric), SPARK_COLUMNS)}`.trim(),
      };
    },
  };
}

/** A field as people read it. */
export function fieldText(record: RunRecord, field: string): string {
  const value = fieldOf(record, field);
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return sanitizeLine(value.join(", "));
  if (field === "code.tree" || field === "code.commit") return String(value).slice(0, 12);
  const number = asNumber(typeof value === "number" ? value : undefined);
  if (number !== undefined) {
    if (field === "duration" || field === "usage.cpu") return formatDuration(number * 1000);
    if (field.startsWith("usage.")) return formatBytes(number);
    return field.startsWith("metrics.") ? shortNumber(number) : String(number);
  }
  return sanitizeLine(String(value));
}

const tookText = ({ durationMs }: RunRecord): string =>
  durationMs === undefined ? "" : formatDuration(durationMs);

function resultCell(record: RunRecord, paint: Paint, isLive: IsLive): Cell {
  const { outcome, attempts } = record;
  const again = attempts > 1 ? ` (${attempts} attempts)` : "";
  if (outcome === undefined) {
    const { sign, word, style } = isLive(record) ? SYMBOLS.running : STATE_SIGNS.left;
    return { text: `${sign} ${word}${again}`, paint: (text) => paint(style, text) };
  }
  const { sign, style } = SYMBOLS[stateOf(outcome.type)];
  const text = `${sign} ${describeOutcome(outcome)}${again}`;
  return { text, paint: (shown) => paint(style, shown) };
}

function stateOf(type: NonNullable<RunRecord["outcome"]>["type"]): keyof typeof SYMBOLS {
  switch (type) {
    case "success":
      return "done";
    case "failed":
    case "oom":
      return "failed";
    case "pruned":
      return "pruned";
    default:
      return "cancelled";
  }
}

/** `baseline, note=good`. */
export const tagsText = (tags: RunRecord["tags"]): string =>
  Object.entries(tags)
    .map(([name, value]) => (value === "" ? name : `${name}=${value}`))
    .join(", ");
