// The states a task can be in, and which event may find it in which.
//
//   waiting ─► checking | queued (an earlier run's attempt) | done (only groups)
//   checking ─► ready (stale) | fresh | skipped | done (adopted, and still good)
//   ready ─► starting
//   starting ─► submitting | held (by another run) | queued (that run's attempt)
//   held ─► checking | queued (that run's attempt)
//   submitting ─► queued | running | unknown | deferred
//   deferred ─► submitting | queued | running | unknown | ready (it never was)
//   queued ─► running | unknown | backoff | done | checking (adopted)
//   running ─► unknown | backoff | done | checking (adopted)
//   unknown ─► queued | running | deferred | backoff | done
//   backoff ─► ready | checking (adopted) | waiting (adopted)
//
// and from any that is not final to failed, blocked, cancelled and pruned.
//
// An attempt is live from `starting` to its end; a live attempt holds resources. Whatever is not
// final becomes `cancelled` when the run is told to start nothing more and nothing is live.

import type { MachineEvent } from "./event.ts";

/** In this order: not live, live, final. The position is the code in the machine's arrays. */
export const STATES = [
  "waiting",
  "checking",
  "ready",
  "backoff",
  "held",
  "starting",
  "submitting",
  "deferred",
  "queued",
  "running",
  "unknown",
  "fresh",
  "done",
  "skipped",
  "failed",
  "blocked",
  "cancelled",
  "pruned",
] as const;

export type StateName = (typeof STATES)[number];

/** Codes of the states, as kept in the machine's arrays. */
export const AT: Readonly<Record<StateName, number>> = Object.fromEntries(
  STATES.map((name, code) => [name, code]),
) as Record<StateName, number>;

const FIRST_LIVE: number = AT.starting;
const FIRST_FINAL: number = AT.fresh;

/** An attempt may exist: it holds resources. */
export const isLive = (code: number): boolean => code >= FIRST_LIVE && code < FIRST_FINAL;

export const isFinal = (code: number): boolean => code >= FIRST_FINAL;

/** Events about one task. */
export type TaskEvent = Extract<MachineEvent, { readonly task: number }>;

/**
 * What an event does to a task in a state: the states it may lead to, nothing (`ignore`), or it can
 * only come from a mistake in the engine (`bug`).
 */
export type Cell = readonly StateName[] | "ignore" | "bug";

type Row = Readonly<Record<TaskEvent["type"], Cell>>;

const TRIED_AGAIN: readonly StateName[] = ["backoff", "ready", "starting", "waiting", "checking"];

const ENDED: readonly StateName[] = [
  ...TRIED_AGAIN,
  "done",
  "failed",
  "blocked",
  "cancelled",
  "pruned",
];

/** As before the attempt; or final, when it was to stop or is in nobody's interest any more. */
const VOIDED: readonly StateName[] = [
  "ready",
  "starting",
  "waiting",
  "checking",
  "failed",
  "blocked",
  "cancelled",
  "pruned",
];

/** No attempt of this run exists, so what is said about one is about an old one. */
const IDLE: Row = {
  "task/checked": "bug",
  "task/held": "bug",
  "task/released": "ignore",
  "attempt/claimed": "bug",
  "attempt/adopted": "bug",
  "attempt/submitted": "ignore",
  "attempt/refused": "ignore",
  "attempt/voided": "ignore",
  "attempt/queued": "ignore",
  "attempt/started": "ignore",
  "attempt/unknown": "ignore",
  "attempt/ended": "ignore",
};

/** An attempt exists, or may; what the backend sees decides, whatever the submit was answered. */
const LIVE: Row = {
  ...IDLE,
  "attempt/adopted": "ignore",
  "attempt/voided": VOIDED,
  "attempt/queued": ["queued"],
  "attempt/started": ["running"],
  "attempt/unknown": ["unknown"],
  "attempt/ended": ENDED,
};

const FINAL: Row = {
  ...IDLE,
  "task/checked": "ignore",
  "task/held": "ignore",
  "attempt/claimed": "ignore",
  "attempt/adopted": "ignore",
};

/** Rows are states, columns are events. Events of another attempt (serial) are ignored everywhere. */
export const TABLE: Readonly<Record<StateName, Row>> = {
  waiting: { ...IDLE, "attempt/adopted": ["queued"] },
  checking: {
    ...IDLE,
    "task/checked": [
      "fresh",
      "done",
      "skipped",
      "failed",
      "blocked",
      "ready",
      "starting",
      "cancelled",
      "pruned",
    ],
  },
  ready: IDLE,
  backoff: IDLE,
  held: {
    ...IDLE,
    "task/released": ["checking", "held"],
    "attempt/adopted": ["queued"],
  },
  starting: {
    ...IDLE,
    "task/held": ["held", "failed", "cancelled", "pruned"],
    "attempt/claimed": ["submitting"],
    "attempt/adopted": ["queued"],
  },
  submitting: {
    ...LIVE,
    "attempt/submitted": ["queued"],
    "attempt/refused": ["deferred", "failed"],
  },
  deferred: { ...LIVE, "attempt/submitted": ["queued"] },
  queued: LIVE,
  running: LIVE,
  unknown: {
    ...LIVE,
    "attempt/submitted": ["queued"],
    "attempt/refused": ["deferred", "failed"],
  },
  fresh: FINAL,
  done: FINAL,
  skipped: FINAL,
  failed: FINAL,
  blocked: FINAL,
  cancelled: FINAL,
  pruned: FINAL,
};
