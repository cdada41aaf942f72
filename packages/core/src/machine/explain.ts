// Why a task is not running, as data; words are made of it elsewhere.

import type { RestartReason } from "../model/outcome.ts";
import type { Shape, Shortage } from "./ledger.ts";
import type { State } from "./state.ts";
import { AT, isFinal, isLive } from "./states.ts";

export type Explanation =
  /** The run has not begun to schedule. */
  | { readonly why: "not-opened" }
  /** These are not final yet. */
  | { readonly why: "dependencies"; readonly tasks: readonly number[] }
  | { readonly why: "checking" }
  /** What is short, and which tasks of this run hold it. */
  | {
      readonly why: "resources";
      readonly short: readonly (Shortage & { readonly holders: readonly number[] })[];
    }
  /** It would fit, but what it needs is being kept for a larger task that has waited long enough. */
  | { readonly why: "reserved"; readonly for: number }
  /** It runs alone and these run, or one of these runs alone. */
  | { readonly why: "alone"; readonly running: readonly number[] }
  /** Others go first. */
  | { readonly why: "turn" }
  /** Waits before another try; in the time of events. */
  | { readonly why: "backoff"; readonly until: number; readonly reason: RestartReason }
  /** Another live run of the project is doing it. */
  | { readonly why: "held" }
  /** The backend did not take it; the submit is tried again then. */
  | { readonly why: "unavailable"; readonly until: number; readonly detail: string | undefined }
  /** On its way, or waiting in the backend's own queue. */
  | { readonly why: "queued"; readonly detail: string | undefined }
  /** Nobody can say whether it still runs. */
  | { readonly why: "unknown"; readonly detail: string | undefined }
  /** The run starts nothing new. */
  | { readonly why: "halted" }
  | { readonly why: "running" }
  | { readonly why: "final" };

export function explain(state: State, task: number): Explanation {
  const code = state.code(task);
  const notes = state.notes(task);
  if (isFinal(code)) return { why: "final" };
  if (isLive(code)) return explainLive(state, task);
  if (!state.opened) return { why: "not-opened" };
  if (state.halted) return { why: "halted" };
  if (code === AT.checking) return { why: "checking" };
  if (code === AT.held) return { why: "held" };
  if (code === AT.ready) return explainReady(state, task);
  if (code === AT.backoff) {
    const reason = notes.reason as RestartReason;
    return { why: "backoff", until: notes.until as number, reason };
  }
  return { why: "dependencies", tasks: missing(state, task) };
}

function explainLive(state: State, task: number): Explanation {
  const code = state.code(task);
  const { detail, until } = state.notes(task);
  if (code === AT.running) return { why: "running" };
  if (code === AT.unknown) return { why: "unknown", detail };
  if (code === AT.deferred) return { why: "unavailable", until: until as number, detail };
  return { why: "queued", detail };
}

function explainReady(state: State, task: number): Explanation {
  const shape = state.shapes[task] as Shape;
  const { ledger } = state;
  if (ledger.isTaken || (shape.exclusive && state.live > 0)) {
    return { why: "alone", running: live(state) };
  }
  const short = ledger.shortages(shape);
  if (short.length > 0) {
    return {
      why: "resources",
      short: short.map((each) => ({ ...each, holders: ledger.holders(each.resource) })),
    };
  }
  const reserved = state.queue.reservedFor;
  return reserved === undefined ? { why: "turn" } : { why: "reserved", for: reserved };
}

const live = (state: State): readonly number[] =>
  Array.from(state.at.keys()).filter((task) => isLive(state.code(task)));

/** Dependencies that are not final and good. */
function missing(state: State, task: number): readonly number[] {
  const found: number[] = [];
  for (let other = 0; other < state.plan.size; other += 1) {
    if (isFinal(state.code(other))) continue;
    state.eachDependent(other, (dependent) => {
      if (dependent === task) found.push(other);
    });
  }
  return found;
}
