// The interface between the engine and whatever runs attempts: this machine, a cluster, a cloud.
//
// Rules that the conformance suite checks: expected trouble is returned, never thrown; `observe`
// never turns "unreachable" into "ended"; a handle is JSON that survives a restart of flow and that
// the backend parses again; the exit file written by the attempt's own shell is the result, a
// scheduler is only asked what is still there; `cancel` and `submit` may be repeated.

import type { AttemptKey, BackendName } from "../model/ids.ts";
import type { Exit, StopReason } from "../model/outcome.ts";
import type { Limits, ResourceRequest } from "../model/resources.ts";
import type { Result } from "../model/result.ts";
import type { Task } from "../model/task.ts";
import type { Capabilities } from "./capabilities.ts";

/** Plain JSON. */
export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/** The backend's own JSON name for a job; it carries its version. Core stores it untouched. */
export type Handle = Json;

/** One command of a job, ready to start: no templates left. */
export interface JobAction {
  /** `["sh", "-e", "-c", text]` for shell actions; the program and its arguments otherwise. */
  readonly argv: readonly string[];
  /** Absolute, or relative to the job's working directory on backends that ship code. */
  readonly cwd: string;
  /** Added to the job's environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number | undefined;
  readonly okExit: readonly number[];
  /** Absolute path of the file that is its standard input; absent: empty input. */
  readonly stdin: string | undefined;
}

/** Where an attempt's files lie, absolute on the machine flow runs on. */
export interface JobPaths {
  readonly root: string;
  /** The attempt's record directory; the other files lie in it. The engine has made it. */
  readonly attempt: string;
  readonly stdout: string;
  readonly stderr: string;
  /** Created by the attempt with O_EXCL before anything else. */
  readonly started: string;
  readonly exit: string;
  readonly stop: string;
  /** `events.0.jsonl`; further writers use further numbers. */
  readonly events: string;
  readonly usage: string;
  /** Persistent over attempts; made by the engine before the submit when the task wants them. */
  readonly output: string;
  readonly checkpoint: string;
}

/** An attempt as a backend gets it. */
export interface Job {
  readonly key: AttemptKey;
  /** The task's readable name, for job names and messages. */
  readonly task: string;
  /** Members with the same group and equal resources may be submitted as one array. */
  readonly group: string;
  readonly actions: readonly JobAction[];
  readonly finally: readonly JobAction[];
  /**
   * The contract's variables, complete but for what only the place of execution knows
   * (FLOW_DEADLINE, FLOW_JOB_ID, granted devices), set on top of the inherited environment.
   */
  readonly env: Readonly<Record<string, string>>;
  /** Names of variables passed through from flow's environment; their values are never written to disk. */
  readonly secrets: readonly string[];
  readonly cwd: string;
  readonly paths: JobPaths;
  readonly resources: ResourceRequest;
  readonly stop: { readonly signal: string; readonly graceMs: number };
  /** How long it may run, from its start; then it is stopped with reason `deadline`. Absent: no limit. */
  readonly timeoutMs: number | undefined;
  /**
   * Longest path of past durations from this task to the end of the run, for backends that order
   * what waits; absent where nothing is known.
   */
  readonly weightMs?: number;
  /** Exit codes that mean requeue. */
  readonly requeueCodes: readonly number[];
  /**
   * The system may restart it by itself under the same key, when it asks for that or was taken away:
   * so often at most, or any number of times. Absent: never. Only for backends with `requeues`.
   */
  readonly restarts?: { readonly max: number | undefined };
  /** Inherits the terminal and runs alone. */
  readonly interactive: boolean;
  /** Paths (relative to the root) it reads and makes, for backends without the shared file system. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Further paths below the root that flow reads afterwards: named outputs, values, metrics. Absent: none. */
  readonly leaves?: readonly string[];
  readonly mounts: Readonly<Record<string, string>>;
  readonly container: string | undefined;
  /** The backend's own keys of the task, checked by its schema. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Why a backend did not do what it was asked. */
export type BackendFailure =
  | { readonly type: "rejected"; readonly message: string }
  | {
      readonly type: "unavailable";
      readonly message: string;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly type: "misconfigured"; readonly message: string };

/**
 * Why a task can never run here, as a sentence whose subject is the task ("asks for …, …");
 * undefined when it can. A plug-in answers for its kind without looking at the place, and a refusal
 * is an error of the flow file; an open backend answers for the place it has looked at, and a
 * refusal is something outside that is missing. Absent: nothing is refused.
 */
export type Refuse = (task: Task) => string | undefined;

/** What is known of a submitted attempt. */
export type Observation =
  | {
      readonly type: "queued";
      readonly why: string | undefined;
      /** It will not start unless a person does something about it. */
      readonly stuck?: true;
    }
  | {
      readonly type: "running";
      /** Unix milliseconds, for display. */
      readonly since: number | undefined;
      readonly node: string | undefined;
    }
  | { readonly type: "ended"; readonly exit: Exit }
  | { readonly type: "unknown"; readonly why: string };

export interface CollectedFile {
  /** Relative to the project root. */
  readonly path: string;
  readonly bytes: number;
}

export interface Backend extends AsyncDisposable {
  readonly name: BackendName;
  readonly capabilities: Capabilities;
  /** Asked of an open backend, before a run starts anything: what this place has not got. */
  readonly refuse?: (task: Task) => ReturnType<Refuse> | Promise<ReturnType<Refuse>>;
  /**
   * Whether it can be seen from a job's commands that they use neither its scratch folder nor its
   * output folder. The engine does not make them then. Absent: it never can.
   */
  readonly usesNoFolders?: ((job: Job) => boolean) | undefined;
  /** What there is to give on this backend; an absent field is not limited here. */
  limits(): Limits;
  /** One answer per job; one bad job does not fail the others. */
  submit(
    jobs: readonly Job[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<AttemptKey, Result<Handle, BackendFailure>>>;
  /** Costs O(1) remote calls however many handles are asked about. A key missing from the answer says nothing. */
  observe(
    handles: ReadonlyMap<AttemptKey, Handle>,
    signal: AbortSignal,
  ): Promise<Result<ReadonlyMap<AttemptKey, Observation>, BackendFailure>>;
  /**
   * Asks an attempt to stop (`graceful`: stop file, signal, then after the grace the whole tree is
   * killed) or kills it (`forced`). Ok also when it has already ended.
   */
  cancel(
    handle: Handle,
    how: "graceful" | "forced",
    reason: StopReason,
    signal: AbortSignal,
  ): Promise<Result<void, BackendFailure>>;
  /**
   * Handles of those attempts that exist, ended ones included, found from keys and record
   * directories alone. What is missing from the answer was never started, and will not start: a
   * backend that cannot be sure fences it first.
   */
  reattach(
    attempts: readonly ReattachRequest[],
    signal: AbortSignal,
  ): Promise<Result<ReadonlyMap<AttemptKey, Handle>, BackendFailure>>;
  /** Bytes of one stream from an offset; ends when the attempt is over and all is delivered, or on abort. */
  logs(
    handle: Handle,
    stream: "stdout" | "stderr",
    fromByte: number,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  /** Brings outputs back into the project; on a shared file system there is nothing to do. */
  collect(
    handle: Handle,
    patterns: readonly string[],
    signal: AbortSignal,
  ): Promise<Result<readonly CollectedFile[], BackendFailure>>;
  /** Calls back with keys whose observation may have changed; returns the function that ends it. Absent without `pushes`. */
  onChange?(listener: (keys: readonly AttemptKey[]) => void): () => void;
}

export interface ReattachRequest {
  readonly key: AttemptKey;
  /** The attempt's record directory. */
  readonly attempt: string;
  /** The handle on record, when the submit's answer had been written down. */
  readonly handle: Handle | undefined;
}
