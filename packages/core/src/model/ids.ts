// Branded identifiers. A brand costs nothing at run time and keeps a task's name from being used
// where its key is meant.

declare const brand: unique symbol;
type Branded<T, Name extends string> = T & { readonly [brand]: Name };

/** A task's readable name, unique in a project: `ns/train@model=cnn,seed=0`. */
export type TaskId = Branded<string, "TaskId">;

/**
 * A task's stable identity on disk: 16 hex digits, the hash of its flow file's path (relative to
 * the project root) and its {@link TaskId}. The same over attempts, runs and edits of the file.
 */
export type TaskKey = Branded<string, "TaskKey">;

/** One invocation of flow on one plan; sorts by time: `20261121-101530-k3f9`. */
export type RunId = Branded<string, "RunId">;

/**
 * One try of one task: `<task key>-<serial>`. The serial of a task never repeats, so the key is
 * unique for ever in a project; backends use it to recognise work they have already accepted.
 */
export type AttemptKey = Branded<string, "AttemptKey">;

/** A backend's name in the flow file (`local`, `cluster`). */
export type BackendName = Branded<string, "BackendName">;

/** Milliseconds on a monotonic clock whose zero is arbitrary; only differences mean anything. */
export type Instant = Branded<number, "Instant">;

export const taskId = (text: string): TaskId => text as TaskId;
export const taskKey = (text: string): TaskKey => text as TaskKey;
export const runId = (text: string): RunId => text as RunId;
export const backendName = (text: string): BackendName => text as BackendName;
export const instant = (milliseconds: number): Instant => milliseconds as Instant;

/** The key of the `serial`-th attempt (1, 2, …) of the task with this key. */
export const attemptKey = (task: TaskKey, serial: number): AttemptKey =>
  `${task}-${serial}` as AttemptKey;

/** Splits an attempt key into the task's key and the serial; undefined when it is not one. */
export function parseAttemptKey(text: string): { task: TaskKey; serial: number } | undefined {
  const match = /^([0-9a-f]{16})-([1-9][0-9]*)$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { task: taskKey(match[1]), serial: Number(match[2]) };
}
