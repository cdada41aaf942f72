// What the machine shows of a task.

import type { Outcome, RestartReason } from "../model/outcome.ts";
import type { FinalState } from "./effect.ts";
import type { Spent } from "./retry.ts";
import type { State, Stop } from "./state.ts";

/** Where a task is, with what is known there. */
export type TaskView = { readonly spent: Spent } & (
  | { readonly at: "waiting" | "checking" | "ready" | "held" }
  | {
      readonly at: "backoff";
      /** In the time of events. */
      readonly until: number;
      readonly reason: RestartReason;
      readonly outcome: Outcome;
    }
  | { readonly at: "starting"; readonly stop: Stop | undefined }
  | {
      readonly at: "submitting" | "deferred" | "queued" | "running" | "unknown";
      readonly serial: number;
      /** The attempt was found alive from an earlier run. */
      readonly adopted: boolean;
      /** What has been asked of it. */
      readonly stop: Stop | undefined;
      /** What the backend last said about it. */
      readonly detail: string | undefined;
    }
  | FinalState
);

export function viewOf(state: State, task: number): TaskView {
  const notes = state.notes(task);
  const spent = state.spent(task);
  const at = state.state(task);
  const { stop } = notes;
  switch (at) {
    case "backoff":
      return {
        at,
        spent,
        until: notes.until as number,
        reason: notes.reason as RestartReason,
        outcome: notes.outcome as Outcome,
      };
    case "starting":
      return { at, spent, stop };
    case "submitting":
    case "deferred":
    case "queued":
    case "running":
    case "unknown": {
      const serial = state.serial[task] as number;
      return { at, spent, serial, stop, adopted: notes.adopted === true, detail: notes.detail };
    }
    case "failed":
      return { at, spent, outcome: notes.outcome as Outcome };
    case "cancelled":
      return { at, spent, outcome: notes.outcome };
    case "blocked":
      return { at, spent, by: notes.culprit as number };
    default:
      return { at, spent };
  }
}
