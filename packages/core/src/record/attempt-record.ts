// What is written down about an attempt: before it starts everything needed to run it to its end
// and judge it without the flow file (`attempt.json`), after its end what came of it (`result.json`).

import { ATTEMPT_FILES, type Layout } from "../engine/layout.ts";
import { type AttemptKey, attemptKey, type RunId, type TaskKey } from "../model/ids.ts";
import type { Exit, MachineFacts, Outcome, RestartReason } from "../model/outcome.ts";
import type { ResourceRequest } from "../model/resources.ts";
import type { Task } from "../model/task.ts";
import type { FileSystem } from "../ports/file-system.ts";
import type { GitFacts } from "../snapshot/git.ts";
import type { TreeId } from "../snapshot/manifest.ts";
import type { InputSnapshot, Trace } from "../trace/trace.ts";

export const RECORD_FORMAT = 1;

/** The code that a program could see. */
export interface CodeState {
  /** Names the captured files; see {@link TreeId}. */
  readonly tree: TreeId;
  /** Whether the files' contents are stored under that name, and not only their digests known. */
  readonly kept: boolean;
  /** Absent outside git. */
  readonly git: GitFacts | undefined;
  /** Digest of the stored `git diff HEAD`; absent when clean, not kept, or too large. */
  readonly diff: string | undefined;
}

/** The code of an attempt that has ended. */
export interface EndedCode extends CodeState {
  readonly changedWhileRunning: boolean;
  /** Files that changed or went meanwhile, the first few; empty when it is not known which. */
  readonly changed: readonly string[];
}

/** What a task's programs ran in. */
export interface EnvironmentFacts {
  readonly python?: PythonFacts | undefined;
  readonly container?: { readonly image: string; readonly digest: string | undefined } | undefined;
}

export interface PythonFacts {
  readonly version: string;
  /** Absolute path of the interpreter. */
  readonly executable: string;
  /** Digest of the stored list of installed packages, a line `name==version` each. */
  readonly packages: string;
  readonly packageCount: number;
}

/** `attempt.json`. The task is recorded whole, with its fingerprint's parts in `inputs`. */
export interface AttemptRecord {
  readonly format: number;
  readonly key: AttemptKey;
  readonly run: RunId;
  readonly serial: number;
  /** 1, 2, … within the lineage: attempts with the same fingerprint since the last success. */
  readonly attempt: number;
  readonly reason: RestartReason;
  /** Digest of recipe and inputs; attempts that share it may share a checkpoint. */
  readonly fingerprint: string;
  /** Requeues in this lineage so far, and how many of them in a row brought no progress. */
  readonly requeues: number;
  readonly idle: number;
  /** Unix milliseconds. */
  readonly wall: number;
  readonly task: Task;
  /** The inspection's snapshot of inputs, as it was before the start. */
  readonly inputs: InputSnapshot;
  /** The commands as run. */
  readonly commands: readonly string[];
  /** With escalation applied. */
  readonly resources: ResourceRequest;
  readonly backend: string;
  /** Absolute, the project's root then. */
  readonly root: string;
  /** Absolute checkpoint directory; absent when the task keeps none. */
  readonly checkpoint: string | undefined;
  /** Indices of the task's targets that were moved aside before the start. */
  readonly aside: readonly number[];
  /** What the checkpoint directory looked like before the start. */
  readonly checkpointState: string;
  /** `workspace:` and `experiment:` of the flow file, which group records. */
  readonly workspace?: string | undefined;
  readonly experiment?: string | undefined;
  /** As last seen before the start; absent where code is not recorded, or was not captured yet. */
  readonly code?: CodeState | undefined;
}

/** `result.json`. */
export interface AttemptResult {
  readonly format: number;
  readonly key: AttemptKey;
  readonly outcome: Outcome;
  readonly exit: Exit | undefined;
  readonly durationMs: number | undefined;
  readonly progressed: boolean;
  /** Unix milliseconds. */
  readonly wall: number;
  /** Of a success. */
  readonly trace: Trace | undefined;
  /** By name; values inside objects have dotted names. */
  readonly metrics: Readonly<Record<string, MetricSummary>>;
  readonly checkpoint: { readonly path: string; readonly step: number | undefined } | undefined;
  readonly artifacts: readonly string[];
  /** What the program said of itself; absent: nothing. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Absent where it ran on another machine; its backend may know, see {@link Exit.machine}. */
  readonly machine?: MachineFacts | undefined;
  /** Absent where no program of the task has one that is known. */
  readonly environment?: EnvironmentFacts | undefined;
  /** Present where it says more than `attempt.json`: found out after the start, or changed since. */
  readonly code?: EndedCode | undefined;
}

export interface MetricSummary {
  readonly first: number;
  readonly last: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly count: number;
  /** Where the lowest and the highest value were told first; absent when no step was told. */
  readonly minStep?: number | undefined;
  readonly maxStep?: number | undefined;
}

/**
 * `accounting.json`: what the system that ran an attempt says of it some time after its end. It fills in
 * what the exit does not tell; absent members are not known.
 */
export interface Accounting {
  readonly cpuSeconds: number | undefined;
  readonly peakMemoryBytes: number | undefined;
  readonly elapsedMs: number | undefined;
  readonly node: string | undefined;
}

/** An attempt on disk; `result` is absent while it runs, or when it was never settled. */
export interface StoredAttempt {
  readonly serial: number;
  readonly directory: string;
  readonly record: AttemptRecord | undefined;
  readonly result: AttemptResult | undefined;
}

const parse = <T>(bytes: Uint8Array | undefined): T | undefined => {
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8")) as T;
  } catch {
    return undefined;
  }
};

/** Serials of the task's attempts, ascending. */
export function attemptSerials(
  layout: Layout,
  task: TaskKey,
  fileSystem: FileSystem,
): readonly number[] {
  const entries = fileSystem.list(layout.attempts(task)) ?? [];
  return entries
    .map(({ name }) => Number(name))
    .filter((serial) => Number.isSafeInteger(serial) && serial > 0)
    .sort((a, b) => a - b);
}

export function readAttempt(
  layout: Layout,
  task: TaskKey,
  serial: number,
  fileSystem: FileSystem,
): StoredAttempt {
  const directory = layout.attempt(attemptKey(task, serial));
  const read = <T>(name: string) => parse<T>(fileSystem.read(`${directory}/${name}`));
  const result = read<AttemptResult>(ATTEMPT_FILES.result);
  const accounting = result?.exit && read<Accounting>(ATTEMPT_FILES.accounting);
  return {
    serial,
    directory,
    record: read(ATTEMPT_FILES.record),
    result: result && accounting ? withAccounting(result, accounting) : result,
  };
}

/** What the result does not say itself was found out later; of two peaks the higher one counts. */
function withAccounting(
  result: AttemptResult,
  { cpuSeconds, peakMemoryBytes, elapsedMs, node }: Accounting,
): AttemptResult {
  const { exit } = result;
  const usage = exit?.usage;
  const peak = Math.max(usage?.peakMemoryBytes ?? 0, peakMemoryBytes ?? 0);
  return {
    ...result,
    durationMs: result.durationMs ?? elapsedMs,
    exit: exit && {
      ...exit,
      durationMs: exit.durationMs ?? elapsedMs,
      node: exit.node ?? node,
      usage: {
        cpuSeconds: usage?.cpuSeconds ?? cpuSeconds,
        peakMemoryBytes: peak === 0 ? undefined : peak,
        gpuPeakMemoryBytes: usage?.gpuPeakMemoryBytes,
      },
    },
  };
}

/** The task's latest attempt; undefined when it never had one. */
export function lastAttempt(
  layout: Layout,
  task: TaskKey,
  fileSystem: FileSystem,
): StoredAttempt | undefined {
  const serial = attemptSerials(layout, task, fileSystem).at(-1);
  return serial === undefined ? undefined : readAttempt(layout, task, serial, fileSystem);
}

/**
 * The attempt with the code that its run began with, where it had ended before that was known: a
 * short attempt does not wait for the first look at the code.
 */
export function withCodeOfRun(
  stored: StoredAttempt,
  layout: Layout,
  fileSystem: FileSystem,
): StoredAttempt {
  const { record, result } = stored;
  if (record === undefined || (record.code ?? result?.code) !== undefined) return stored;
  const code = parse<CodeState>(fileSystem.read(layout.code(record.run)));
  return code === undefined ? stored : { ...stored, record: { ...record, code } };
}
