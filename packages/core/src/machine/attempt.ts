// What events about one task do to it. The table in states.ts has already said that the event is
// meant for the task's current attempt and state.

import type { Outcome } from "../model/outcome.ts";
import type { MachineEvent } from "./event.ts";
import {
  isFinalStop,
  makeReady,
  rejected,
  resume,
  sendStop,
  settleStopped,
  stopTask,
} from "./flow.ts";
import { decide, escalate, type Verdict } from "./retry.ts";
import type { State, Stop } from "./state.ts";
import { AT, type TaskEvent } from "./states.ts";

type Event<Type extends MachineEvent["type"]> = Extract<MachineEvent, { readonly type: Type }>;

/** Wait before a refused submit is tried again, when the backend does not say: doubles each time. */
const REFUSED_BACKOFF_MS = 1_000;
const REFUSED_BACKOFF_MAX_MS = 60_000;

export function takeTaskEvent(state: State, event: TaskEvent): void {
  const { task } = event;
  switch (event.type) {
    case "task/checked":
      checked(state, event);
      break;
    case "task/held":
      held(state, task);
      break;
    case "task/released":
      released(state, task);
      break;
    case "attempt/claimed":
      claimed(state, event);
      break;
    case "attempt/adopted":
      adopted(state, event);
      break;
    case "attempt/submitted":
      submitted(state, task);
      break;
    case "attempt/refused":
      refused(state, event);
      break;
    case "attempt/voided":
      voided(state, task);
      break;
    case "attempt/queued":
      seen(state, task, "queued", event.why);
      break;
    case "attempt/started":
      seen(state, task, "running", undefined);
      break;
    case "attempt/unknown":
      seen(state, task, "unknown", event.why);
      break;
    case "attempt/ended":
      ended(state, event);
      break;
    default:
      event satisfies never;
  }
}

function checked(state: State, event: Event<"task/checked">): void {
  const { task } = event;
  switch (event.verdict) {
    case "fresh":
      state.settle(task, { at: state.notes(task).succeeded === true ? "done" : "fresh" });
      return;
    case "skip":
      state.settle(task, { at: "skipped" });
      return;
    case "pruned":
      state.settle(task, { at: "pruned" });
      return;
    case "failed":
      state.settle(task, { at: "failed", outcome: event.outcome });
      return;
    case "stale":
      if (state.notes(task).adopted === true) {
        Object.assign(state.note(task), { adopted: false, succeeded: false });
      }
      makeReady(state, task);
      return;
    default:
      event satisfies never;
  }
}

function held(state: State, task: number): void {
  const { stop } = state.notes(task);
  if (stop !== undefined && isFinalStop(stop)) settleStopped(state, task, stop, undefined);
  else state.move(task, "held");
}

function released(state: State, task: number): void {
  if (state.halted) return;
  state.move(task, "checking");
  state.emit({ type: "check", task });
}

function claimed(state: State, event: Event<"attempt/claimed">): void {
  state.serial[event.task] = event.serial;
  state.move(event.task, "submitting");
  sendStop(state, event.task);
}

function adopted(state: State, event: Event<"attempt/adopted">): void {
  const { task, serial, requeues, idle } = event;
  const notes = state.note(task);
  notes.adopted = true;
  notes.spent = { ...state.spent(task), requeues, idle };
  state.move(task, "queued");
  state.serial[task] = serial;
  sendStop(state, task);
  if (state.stopAll !== undefined) stopTask(state, task, state.stopAll);
}

function submitted(state: State, task: number): void {
  if (state.notes(task).refusals !== undefined) state.note(task).refusals = 0;
  state.move(task, "queued");
}

/** The backend says where the attempt is. */
function seen(
  state: State,
  task: number,
  where: "queued" | "running" | "unknown",
  detail: string | undefined,
): void {
  if (detail !== state.notes(task).detail) state.note(task).detail = detail;
  state.move(task, where);
}

function refused(state: State, event: Event<"attempt/refused">): void {
  const { task, failure, message } = event;
  if (failure === "unavailable") {
    defer(state, event);
    return;
  }
  state.settle(task, { at: "failed", outcome: rejected(message) });
  if (failure === "misconfigured") close(state, task);
}

function defer(state: State, event: Event<"attempt/refused">): void {
  const { task } = event;
  const notes = state.note(task);
  const refusals = notes.refusals ?? 0;
  const backoff = Math.min(REFUSED_BACKOFF_MS * 2 ** refusals, REFUSED_BACKOFF_MAX_MS);
  notes.refusals = refusals + 1;
  notes.detail = event.message;
  state.move(task, "deferred");
  state.setTimer(task, state.now + (event.retryAfterMs ?? backoff));
  if (isFinalStop(notes.stop)) sendStop(state, task);
  else if (state.halted) stopTask(state, task, { how: "graceful", reason: "shutdown" });
}

/** The backend of this task refuses everything: its other tasks cannot start either. */
function close(state: State, culprit: number): void {
  const { backend } = state.task(culprit);
  state.closed.set(backend, culprit);
  for (let task = 0; task < state.plan.size; task += 1) {
    const code = state.code(task);
    if ((code === AT.ready || code === AT.backoff) && state.task(task).backend === backend) {
      state.settle(task, { at: "blocked", by: culprit });
    }
  }
}

/** Nothing happened: no budget pays for it, and how the attempt before it ended still counts. */
function voided(state: State, task: number): void {
  const { stop, culprit } = state.notes(task);
  Object.assign(state.note(task), { stop: undefined, detail: undefined });
  if (stop !== undefined && isFinalStop(stop)) {
    settleStopped(state, task, stop, state.notes(task).outcome);
  } else if (culprit !== undefined) state.settle(task, { at: "blocked", by: culprit });
  else resume(state, task);
}

function ended(state: State, event: Event<"attempt/ended">): void {
  const { task, outcome } = event;
  const { stop, culprit } = state.notes(task);
  if (stop !== undefined) state.note(task).stop = undefined;
  if (state.notes(task).detail !== undefined) state.note(task).detail = undefined;
  if (outcome.type === "success") succeeded(state, task);
  else if (outcome.type === "pruned") state.settle(task, { at: "pruned" });
  else if (outcome.type === "cancelled") state.settle(task, { at: "cancelled", outcome });
  else if (stop !== undefined && isFinalStop(stop)) stopped(state, task, stop, outcome);
  else if (culprit === undefined) again(state, event, stop);
  else if (isFailure(outcome)) state.settle(task, { at: "failed", outcome });
  else state.settle(task, { at: "blocked", by: culprit });
}

const isFailure = (outcome: Outcome): boolean =>
  outcome.type === "failed" || outcome.type === "oom";

/**
 * An attempt of this run is done. An adopted one may have been started from another version of the
 * file, so its task is checked: it is fresh, or it runs again.
 */
function succeeded(state: State, task: number): void {
  const { adopted: isAdopted, culprit } = state.notes(task);
  if (culprit !== undefined) {
    state.settle(task, { at: "blocked", by: culprit });
  } else if (isAdopted === true && !state.halted) {
    state.note(task).succeeded = true;
    resume(state, task);
  } else {
    state.settle(task, { at: "done" });
  }
}

function stopped(state: State, task: number, stop: Stop, outcome: Outcome): void {
  if (outcome.type === "failed") state.settle(task, { at: "failed", outcome });
  else settleStopped(state, task, stop, outcome);
}

function again(state: State, event: Event<"attempt/ended">, stop: Stop | undefined): void {
  const { task, outcome, restarts = 0 } = event;
  const before = state.spent(task);
  const spent = { ...before, requeues: before.requeues + restarts };
  const verdict = decide(state.task(task), outcome, event.progressed, stop?.reason, spent);
  if (!verdict.again) {
    state.settle(task, { at: "failed", outcome: verdict.outcome });
  } else if (state.halted) {
    if (verdict.as === "retry") state.settle(task, { at: "failed", outcome });
    else state.settle(task, { at: "cancelled", outcome });
  } else {
    retry(state, task, outcome, verdict);
  }
}

function retry(
  state: State,
  task: number,
  outcome: Outcome,
  verdict: Extract<Verdict, { again: true }>,
): void {
  const notes = state.note(task);
  notes.spent = verdict.spent;
  notes.reason = verdict.reason;
  notes.outcome = outcome;
  if (verdict.escalate !== undefined) {
    const ceiling = state.isLocal(task) ? state.ledger.memoryCapacity : Number.POSITIVE_INFINITY;
    notes.resources = escalate(state.request(task), verdict.escalate, ceiling);
  }
  const at = state.now + verdict.delayMs;
  state.emit({ type: "again", task, at, reason: verdict.reason, outcome });
  state.move(task, "backoff");
  if (notes.resources !== undefined) {
    state.shapes[task] = state.ledger.shapeOf(
      state.task(task),
      notes.resources,
      state.isLocal(task),
    );
  }
  if (verdict.delayMs === 0) resume(state, task);
  else state.setTimer(task, at);
}
