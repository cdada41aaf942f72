// What the results of a task's own attempts say of its last success. The file of traces says the
// same in one place; where that is lost or damaged, this is where it is read back from.

import type { Layout } from "../engine/layout.ts";
import { type TaskKey, taskKey } from "../model/ids.ts";
import type { FileSystem } from "../ports/file-system.ts";
import { isTrace } from "../trace/store.ts";
import type { Trace } from "../trace/trace.ts";
import { attemptSerials, readAttempt } from "./attempt-record.ts";

/** The task's last recorded success; undefined: none, or forgotten since. */
export function recordedSuccess(
  layout: Layout,
  task: TaskKey,
  files: FileSystem,
): Trace | undefined {
  const forgotten = forgottenSerial(layout, task, files);
  for (const serial of attemptSerials(layout, task, files).toReversed()) {
    if (serial <= forgotten) return undefined;
    const result = readAttempt(layout, task, serial, files).result;
    const trace = result?.outcome?.type === "success" ? result.trace : undefined;
    if (isTrace(trace) && trace.serial === serial) return trace;
  }
  return undefined;
}

/** Every task that has a folder below `.flow/tasks`. */
export function recordedTasks(layout: Layout, files: FileSystem): readonly TaskKey[] {
  return (files.list(layout.tasks) ?? []).flatMap(({ name: folder }) =>
    (files.list(`${layout.tasks}/${folder}`) ?? []).map(({ name }) => taskKey(name)),
  );
}

/** Notes that the successes so far count no more, whoever reads the records later. */
export function markForgotten(layout: Layout, task: TaskKey, files: FileSystem): void {
  const latest = attemptSerials(layout, task, files).at(-1);
  if (latest !== undefined) files.write(layout.forgotten(task), `${latest}\n`);
}

/** A note that cannot be read forgets everything: running again is the safe side. */
function forgottenSerial(layout: Layout, task: TaskKey, files: FileSystem): number {
  const bytes = files.read(layout.forgotten(task));
  if (bytes === undefined) return 0;
  const text = Buffer.from(bytes).toString("utf8");
  return /^\d+\n$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
}
