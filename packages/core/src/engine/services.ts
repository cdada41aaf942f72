// What the parts of a run share.

import type { Backend } from "../backend/backend.ts";
import type { Plan } from "../graph/plan.ts";
import type { Journal } from "../journal/journal.ts";
import type { MachineEvent } from "../machine/event.ts";
import type { RunId, TaskKey } from "../model/ids.ts";
import type { Exit } from "../model/outcome.ts";
import type { Condition, Task } from "../model/task.ts";
import type { Clock } from "../ports/clock.ts";
import type { FileSystem } from "../ports/file-system.ts";
import type { Locks } from "../ports/locks.ts";
import type { AttemptRecord, AttemptResult } from "../record/attempt-record.ts";
import type { Inspector } from "../trace/inspect.ts";
import type { TraceStore } from "../trace/store.ts";
import type { Claims } from "./claims.ts";
import type { CaptureCode, CodeKeeper } from "./code-keeper.ts";
import type { Layout } from "./layout.ts";
import type { Recorder, RunListener } from "./recorder.ts";

/** The world outside, as a run sees it. */
export interface RunPorts {
  readonly clock: Clock;
  readonly fileSystem: FileSystem;
  readonly locks: Locks;
  /** Opens a new journal at a path. */
  readonly openJournal: (path: string) => Journal;
  /** For the journal's first record. */
  readonly host: string;
  readonly pid: number;
}

/** A task of a project, at work in a run of it. */
export interface EnclosingTask {
  /** Absolute root. */
  readonly project: string;
  readonly run: RunId;
  readonly task: TaskKey;
}

export interface RunRequest {
  readonly run: RunId;
  /** The task whose program asked for this run; absent: none. */
  readonly inside?: EnclosingTask | undefined;
  readonly plan: Plan;
  /** Every backend the plan names, open. The caller closes them. */
  readonly backends: ReadonlyMap<string, Backend>;
  readonly inspector: Inspector;
  readonly traces: TraceStore;
  readonly layout: Layout;
  readonly ports: RunPorts;
  /** Tasks at once; absent: resources decide. */
  readonly slots: number | undefined;
  readonly keepGoing: boolean;
  readonly failFast: boolean;
  /** PYTHONPATH for programs: the folder of the script-side helper, then what flow itself was given. Absent: unset. */
  readonly pythonPath: string | undefined;
  /** flow's version, for the journal. */
  readonly version: string;
  /** Flow file relative to the root, for display. */
  readonly file: string;
  /** Undefined: holds. A text: why it does not, or cannot be told. */
  readonly evaluate: (condition: Condition, task: Task) => ConditionVerdict;
  /** `mnist.flow.yaml:31`, of a task or of one of its actions; absent when it has no place. */
  readonly position: (task: Task, action: number | undefined) => string | undefined;
  readonly listeners: readonly RunListener[];
  /** Takes down the project's code, and stores it with `keep`; absent: code is not recorded. */
  readonly captureCode?: CaptureCode | undefined;
  /** What attempts run in; absent: not recorded. */
  readonly surroundings?: SurroundingsOf | undefined;
}

/** Finds out what attempts run in, without holding anything up. */
interface SurroundingsOf {
  /** Of an attempt that is about to run. */
  expect(attempt: AttemptRecord): void;
  /** Of one that has ended. Never rejects. */
  of(attempt: AttemptRecord, exit: Exit): Promise<Pick<AttemptResult, "machine" | "environment">>;
}

export type ConditionVerdict = { readonly holds: boolean } | { readonly problem: string };

/** An event without its time; the run adds that. */
export type Fact = MachineEvent extends infer E
  ? E extends { readonly now: number }
    ? Omit<E, "now">
    : never
  : never;

export interface Services {
  readonly request: RunRequest;
  readonly layout: Layout;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly claims: Claims;
  readonly recorder: Recorder;
  /** Absent where code is not recorded. */
  readonly code: CodeKeeper | undefined;
  readonly tasks: readonly Task[];
  /** Tells the machine something; it acts at once or after what it is doing now. */
  post(fact: Fact): void;
  /** Writes what is recorded so far; false when that has to wait. */
  flush(): boolean;
  /** Runs after everything recorded so far has reached the kernel. */
  afterFlush(action: () => void): void;
  /** Takes over what another run has found out about a task. */
  reload(task: TaskKey): void;
  /** Something a backend needs is not there: the run ends with code 4. */
  missing(): void;
  /** flow's own state cannot be read or written; the run starts nothing more and ends with code 3. */
  broken(message: string, task?: Task): void;
  /** Ends the run as it is; what is not on record yet, the next run finds out. */
  giveUp(): void;
  warn(message: string, task?: Task): void;
}
