// Metrics over time. Events and output lie in the attempt's own directory and are read again when a
// series is wanted; what came from files of the project is kept, because those change.

import { ATTEMPT_FILES } from "../engine/layout.ts";
import type { FileSystem } from "../ports/file-system.ts";
import type { AttemptRecord } from "./attempt-record.ts";
import { parseLoosely } from "./metrics.ts";
import { ScriptEvents } from "./script-events.ts";

/** Values that were told together. */
export interface MetricPoint {
  /** Absent where the program tells none. */
  readonly step: number | undefined;
  readonly values: Readonly<Record<string, number>>;
}

/** Everything an attempt has told so far, in the order it was told. */
export function readSeries(
  record: Pick<AttemptRecord, "task" | "root">,
  directory: string,
  files: FileSystem,
): readonly MetricPoint[] {
  const kept = files.read(`${directory}/${ATTEMPT_FILES.metrics}`);
  if (kept === undefined) return replay(record, directory, files);
  const lines = Buffer.from(kept).toString("utf8").split("\n");
  return lines.flatMap((line): readonly MetricPoint[] => {
    const point = line === "" ? undefined : (parseLoosely(line) as MetricPoint | undefined);
    return point === undefined ? [] : [point];
  });
}

/** Keeps the series of an attempt that has ended, where it could not be read again later. */
export function keepSeries(
  record: Pick<AttemptRecord, "task" | "root">,
  directory: string,
  files: FileSystem,
): void {
  if (record.task.metrics.every(({ kind }) => kind === "stdout")) return;
  const lines = replay(record, directory, files).map((point) => `${JSON.stringify(point)}\n`);
  if (lines.length > 0) files.write(`${directory}/${ATTEMPT_FILES.metrics}`, lines.join(""));
}

function replay(
  { task, root }: Pick<AttemptRecord, "task" | "root">,
  directory: string,
  files: FileSystem,
): readonly MetricPoint[] {
  const stdout = `${directory}/${ATTEMPT_FILES.stdout}`;
  const events = new ScriptEvents(task, directory, stdout, root, files).read(true);
  return events.flatMap((event) =>
    event.kind === "metrics" && Object.keys(event.values).length > 0
      ? [{ step: event.step, values: event.values }]
      : [],
  );
}

/** The values of one metric in order. */
export const valuesOf = (points: readonly MetricPoint[], name: string): readonly number[] =>
  points.flatMap(({ values }) => {
    const value = values[name];
    return value === undefined ? [] : [value];
  });
