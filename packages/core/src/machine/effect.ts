// What the machine wants done. The engine does it and answers with events.

import type { Outcome, RestartReason, StopReason } from "../model/outcome.ts";
import type { ResourceRequest } from "../model/resources.ts";

export type Effect =
  /** All dependencies are final and good: is the task fresh? Answer: `task/checked`. */
  | { readonly type: "check"; readonly task: number }
  /** Claim, record and submit an attempt. Answer: `attempt/claimed` then `attempt/submitted` or `attempt/refused`; or `task/held`. */
  | {
      readonly type: "start";
      readonly task: number;
      readonly reason: RestartReason;
      /** With escalation applied. */
      readonly resources: ResourceRequest;
      /** How many retries and requeues this run has spent on the task. */
      readonly retry: number;
      readonly requeue: number;
    }
  /** Submit the claimed attempt again (the backend was unavailable). */
  | { readonly type: "resubmit"; readonly task: number; readonly serial: number }
  /**
   * Ask the attempt to stop. When its backend has not accepted it: make sure that it never starts and
   * answer `attempt/ended` with `cancelled`, or `attempt/unknown` when that cannot be made sure.
   */
  | {
      readonly type: "stop";
      readonly task: number;
      readonly serial: number;
      readonly how: "graceful" | "forced";
      readonly reason: StopReason;
    }
  /** Send `tick` at or after this time. Only the latest counts. */
  | { readonly type: "wake"; readonly at: number }
  /** The task has reached a final state. */
  | { readonly type: "settled"; readonly task: number; readonly state: FinalState }
  /** Not final: it will be tried again, at `at`. */
  | {
      readonly type: "again";
      readonly task: number;
      readonly at: number;
      readonly reason: RestartReason;
      readonly outcome: Outcome;
    }
  /** Every task is final; nothing more will be asked. */
  | { readonly type: "finished" };

export type FinalState =
  | { readonly at: "fresh" }
  | { readonly at: "done" }
  | { readonly at: "skipped" }
  | { readonly at: "failed"; readonly outcome: Outcome }
  /** `by`: the failed task that is in its way. */
  | { readonly at: "blocked"; readonly by: number }
  | { readonly at: "cancelled"; readonly outcome: Outcome | undefined }
  | { readonly at: "pruned" };
