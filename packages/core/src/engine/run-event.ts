// What a run tells whoever watches it: the terminal, a JSON log, a program using the library.
// Every view is a fold over these. They are facts in order; listeners can never change a run.

import type { RunId, TaskId } from "../model/ids.ts";
import type { Outcome, RestartReason, StopReason, Usage } from "../model/outcome.ts";

/** How many tasks ended, or are, in each state. */
export interface RunCounts {
  readonly total: number;
  readonly fresh: number;
  readonly done: number;
  readonly failed: number;
  /** Failed, but `allow_failure` is set. */
  readonly allowedFailures: number;
  readonly blocked: number;
  readonly cancelled: number;
  readonly skipped: number;
  readonly pruned: number;
  readonly unknown: number;
}

interface Common {
  /** Counts up from 1 within a run. */
  readonly seq: number;
  /** Unix milliseconds, for display. */
  readonly wall: number;
  /** Milliseconds since the run began, monotonic. */
  readonly elapsedMs: number;
}

/** The part of a task's event that names it. */
export interface TaskRef {
  readonly task: string;
  readonly template: string;
}

export type RunEventBody =
  | {
      readonly type: "run/started";
      readonly run: RunId;
      /** Flow file relative to the root, or the name of a graph built in a program. */
      readonly file: string;
      readonly root: string;
      /** Selected tasks by template, in plan order. */
      readonly templates: readonly { readonly name: string; readonly size: number }[];
      readonly total: number;
      readonly slots: number | undefined;
      /** Milliseconds, if only what must run does and if everything does, from past durations; absent without history. */
      readonly estimateMs: readonly [number, number] | undefined;
    }
  | ({ readonly type: "task/fresh" } & TaskRef)
  | ({ readonly type: "task/skipped"; readonly condition: string } & TaskRef)
  /** Will run; `reasons` as `flow why` words them. */
  | ({ readonly type: "task/stale"; readonly reasons: readonly string[] } & TaskRef)
  | ({
      readonly type: "task/started";
      readonly attempt: number;
      readonly reason: RestartReason;
      readonly backend: string;
      readonly node: string | undefined;
      readonly stdout: string;
      readonly stderr: string;
      /** Found alive from an earlier run instead of started; unix ms since when it runs. */
      readonly adoptedSince: number | undefined;
    } & TaskRef)
  /** Ready, but it does not start: what it is short of, and who holds that. */
  | ({ readonly type: "task/waiting"; readonly why: string } & TaskRef)
  | ({ readonly type: "task/queued"; readonly why: string | undefined } & TaskRef)
  | ({
      readonly type: "task/progress";
      readonly done: number | undefined;
      readonly total: number | undefined;
      readonly unit: string | undefined;
      readonly message: string | undefined;
    } & TaskRef)
  | ({
      readonly type: "task/metrics";
      readonly step: number | undefined;
      readonly values: Readonly<Record<string, number>>;
    } & TaskRef)
  /** Nobody can say how it is, for some time already; nothing is assumed. */
  | ({ readonly type: "task/unknown"; readonly why: string } & TaskRef)
  /** It can be told again how a task is that was unknown, and it goes on. */
  | ({ readonly type: "task/known"; readonly at: "queued" | "running" } & TaskRef)
  /**
   * Another live run is doing it, or is at a task with which it would collide over files (`at`); this
   * run waits for that.
   */
  | ({ readonly type: "task/held"; readonly by: RunId; readonly at: TaskId | undefined } & TaskRef)
  | ({
      readonly type: "task/again";
      readonly reason: RestartReason;
      readonly delayMs: number;
      readonly outcome: Outcome;
      /** The retry this will be, and how many there may be; absent for requeues, which are free. */
      readonly retry: { readonly number: number; readonly max: number } | undefined;
    } & TaskRef)
  | ({
      readonly type: "task/done";
      readonly attempt: number;
      readonly durationMs: number;
      readonly usage: Usage | undefined;
    } & TaskRef)
  | ({
      readonly type: "task/failed";
      readonly attempt: number;
      readonly durationMs: number | undefined;
      readonly outcome: Outcome;
      readonly allowed: boolean;
      /** The command that failed, as run; absent when none ran. */
      readonly command: string | undefined;
      /** `mnist.flow.yaml:31`. */
      readonly position: string | undefined;
      readonly stdout: string | undefined;
      readonly stderr: string | undefined;
      /** Tasks that cannot run because of it, nearest first. */
      readonly blocks: readonly string[];
    } & TaskRef)
  | ({ readonly type: "task/blocked"; readonly by: string } & TaskRef)
  | ({ readonly type: "task/cancelled"; readonly reason: StopReason } & TaskRef)
  | ({ readonly type: "task/pruned" } & TaskRef)
  /** A target with `keep: until_used` is gone, everything that uses it being done. */
  | ({ readonly type: "target/removed"; readonly path: string } & TaskRef)
  /** Something worth knowing that changes no result; `task` empty when it concerns the run. */
  | { readonly type: "warning"; readonly task: string; readonly message: string }
  | {
      readonly type: "run/stopping";
      readonly how: "graceful" | "forced";
      readonly running: number;
      /** Longest grace of the running tasks. */
      readonly graceMs: number;
    }
  | {
      readonly type: "run/ended";
      readonly counts: RunCounts;
      /** See the exit codes of the command line. */
      readonly exitCode: number;
    };

export type RunEvent = Common & RunEventBody;
