// What every state of a SLURM job means here. The exit file decides how an attempt ended; a state only
// says whether the job is still there and what took it away.

import type { ExternalCause } from "@flow/core";

export interface StateMeaning {
  readonly phase: "waiting" | "running" | "ending" | "ended";
  readonly cause?: ExternalCause;
  /** Held by somebody: it starts only when a person lets it. */
  readonly stuck?: true;
  readonly cancelled?: true;
}

/** State names as `squeue` and `sacct` print them. */
export const STATES: Readonly<Record<string, StateMeaning>> = {
  BOOT_FAIL: { phase: "ended", cause: "node-failed" },
  CANCELLED: { phase: "ended", cancelled: true },
  COMPLETED: { phase: "ended" },
  COMPLETING: { phase: "ending" },
  CONFIGURING: { phase: "waiting" },
  DEADLINE: { phase: "ended", cause: "time-limit" },
  EXPEDITING: { phase: "waiting" },
  FAILED: { phase: "ended" },
  LAUNCH_FAILED: { phase: "ended", cause: "node-failed" },
  NODE_FAIL: { phase: "ended", cause: "node-failed" },
  OUT_OF_MEMORY: { phase: "ended", cause: "out-of-memory" },
  PENDING: { phase: "waiting" },
  POWER_UP_NODE: { phase: "waiting" },
  PREEMPTED: { phase: "ended", cause: "preempted" },
  RECONFIG_FAIL: { phase: "ended", cause: "node-failed" },
  REQUEUED: { phase: "waiting" },
  REQUEUE_FED: { phase: "waiting" },
  REQUEUE_HOLD: { phase: "waiting", stuck: true },
  RESIZING: { phase: "running" },
  RESV_DEL_HOLD: { phase: "waiting", stuck: true },
  REVOKED: { phase: "ended", cause: "lost" },
  RUNNING: { phase: "running" },
  SIGNALING: { phase: "running" },
  SPECIAL_EXIT: { phase: "waiting", stuck: true },
  STAGE_OUT: { phase: "ending" },
  STOPPED: { phase: "running" },
  SUSPENDED: { phase: "running" },
  TIMEOUT: { phase: "ended", cause: "time-limit" },
  UPDATE_DB: { phase: "ending" },
};

/** `CANCELLED by 1000` is `CANCELLED`. A state of a later release counts as running: it ends nothing. */
export function meaningOf(state: string): StateMeaning {
  return STATES[state.split(" ", 1)[0] ?? ""] ?? { phase: "running" };
}

/** Reasons with which a job waits for ever. */
const NEVER_STARTS = new RegExp(
  [
    "AccountNotAllowed|AssociationTimeLimit|BadConstraints|DependencyNeverSatisfied|InvalidAccount|InvalidQOS",
    "JobHeld(Admin|User)|JobHoldMaxRequeue|MaxMemPerLimit|QOSNotAllowed|Reservation(Deleted|Invalid)",
    "Partition(Config|NodeLimit|TimeLimit)|(launch[_ ]failed|job)[_ ]requeued[_ ](in[_ ])?held",
    String.raw`(Assoc|QOS)Max\w*Per(Job|Node)|QOSMin[A-Z]`,
  ]
    .map((each) => `^(${each})`)
    .join("|"),
);

export const neverStarts = (reason: string): boolean => NEVER_STARTS.test(reason);
