// Facts the machine is told. Each carries the time it happened; the machine has no other clock.
// Events about an attempt carry its serial, so that what arrives late about an old attempt is
// recognised and ignored.

import type { Outcome, StopReason } from "../model/outcome.ts";
import type { Limits } from "../model/resources.ts";

export interface RunOptions {
  /** Go on with what does not depend on a failed task. */
  readonly keepGoing: boolean;
  /** Stop running tasks at the first failure. */
  readonly failFast: boolean;
}

export type MachineEvent = { readonly now: number } & (
  | { readonly type: "run/opened"; readonly limits: Limits; readonly options: RunOptions }
  | { readonly type: "limits/changed"; readonly limits: Limits }
  /** What another live run of the project holds of the shared pools, memory and cpus right now. */
  | {
      readonly type: "foreign/changed";
      readonly cpusMilli: number;
      readonly memoryBytes: number;
      readonly pools: Readonly<Record<string, number>>;
    }
  /** Answer to a `check`: nothing to do, must run, is left out (`when`), was ended early, or cannot run. */
  | {
      readonly type: "task/checked";
      readonly task: number;
      readonly verdict: "fresh" | "stale" | "skip" | "pruned";
    }
  | {
      readonly type: "task/checked";
      readonly task: number;
      readonly verdict: "failed";
      readonly outcome: Outcome;
    }
  /** Answer to a `start`: another live run is at this task. */
  | { readonly type: "task/held"; readonly task: number }
  /** That other run let go of it; it is checked again. */
  | { readonly type: "task/released"; readonly task: number }
  /** Answer to a `start`: claimed and on record under this serial; submitting follows. */
  | { readonly type: "attempt/claimed"; readonly task: number; readonly serial: number }
  /** An attempt of an earlier run that may still live; takes the place of claim and submit. */
  | {
      readonly type: "attempt/adopted";
      readonly task: number;
      readonly serial: number;
      readonly requeues: number;
      readonly idle: number;
    }
  | { readonly type: "attempt/submitted"; readonly task: number; readonly serial: number }
  /**
   * `rejected` and `misconfigured` say that the attempt does not exist: where an earlier submit of it
   * was `unavailable`, which may have had an effect all the same, that has been made sure of.
   */
  | {
      readonly type: "attempt/refused";
      readonly task: number;
      readonly serial: number;
      readonly failure: "rejected" | "unavailable" | "misconfigured";
      readonly retryAfterMs: number | undefined;
      readonly message: string;
    }
  /** The attempt was never started and never will be; its task is as it was before it. */
  | { readonly type: "attempt/voided"; readonly task: number; readonly serial: number }
  | {
      readonly type: "attempt/queued";
      readonly task: number;
      readonly serial: number;
      readonly why: string | undefined;
    }
  | { readonly type: "attempt/started"; readonly task: number; readonly serial: number }
  | {
      readonly type: "attempt/unknown";
      readonly task: number;
      readonly serial: number;
      readonly why: string;
    }
  | {
      readonly type: "attempt/ended";
      readonly task: number;
      readonly serial: number;
      readonly outcome: Outcome;
      /** Newer checkpoint, progress event or change in the checkpoint directory during the attempt. */
      readonly progressed: boolean;
      /** How often the system restarted it by itself; each counts as a requeue. Absent: never. */
      readonly restarts?: number | undefined;
    }
  /** A person or a signal wants tasks stopped; `tasks` undefined means all, and nothing new starts. */
  | {
      readonly type: "stop/requested";
      readonly tasks: readonly number[] | undefined;
      readonly how: "graceful" | "forced";
      readonly reason: StopReason;
    }
  /** Start nothing new, let what runs end. */
  | { readonly type: "drain/requested" }
  /** The time a `wake` asked for has come. */
  | { readonly type: "tick" }
);
