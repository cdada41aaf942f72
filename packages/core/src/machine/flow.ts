// How tasks move on without an attempt of their own saying so: dependencies become good or stand in
// the way, ready tasks are placed, the run is stopped, waits end.

import type { Outcome } from "../model/outcome.ts";
import type { Shape } from "./ledger.ts";
import type { State, Stop } from "./state.ts";
import { AT, isFinal, isLive } from "./states.ts";

/** After these a task is not tried again, whatever its policies say. */
export const isFinalStop = (stop: Stop | undefined): boolean =>
  stop?.reason === "user" || stop?.reason === "shutdown" || stop?.reason === "pruned";

/** All dependencies of a waiting task are final and good. */
export function unblock(state: State, task: number): void {
  if (!state.opened) return;
  if (state.task(task).grouping) state.settle(task, { at: "done" });
  else if (!state.halted) {
    state.move(task, "checking");
    state.emit({ type: "check", task });
  }
}

/** The task must run: puts it in line. */
export function makeReady(state: State, task: number): void {
  const culprit = state.closed.get(state.task(task).backend);
  if (culprit !== undefined) {
    state.settle(task, { at: "blocked", by: culprit });
    return;
  }
  state.move(task, "ready");
  state.queue.add(task);
}

/** The wait before another try is over. What was adopted was never checked in this run. */
export function resume(state: State, task: number): void {
  if (state.notes(task).adopted !== true) {
    makeReady(state, task);
    return;
  }
  state.move(task, "waiting");
  if (state.remaining[task] === 0) unblock(state, task);
}

/** Starts what fits, best first. */
export function place(state: State): void {
  while (!state.halted && !state.ledger.isTaken) {
    const task = state.queue.next(state.live);
    if (task === undefined) return;
    const message = state.ledger.tooLarge(state.shapes[task] as Shape);
    if (message === undefined) {
      start(state, task);
    } else {
      state.settle(task, { at: "failed", outcome: rejected(message) });
      propagate(state);
    }
  }
}

export const rejected = (message: string): Outcome => ({
  type: "failed",
  kind: "rejected",
  code: undefined,
  signal: undefined,
  message,
});

function start(state: State, task: number): void {
  const { retries, requeues } = state.spent(task);
  state.move(task, "starting");
  state.emit({
    type: "start",
    task,
    reason: state.notes(task).reason ?? "first",
    resources: state.request(task),
    retry: retries,
    requeue: requeues,
  });
}

/** Tells the dependents of every task that has become final, and theirs. */
export function propagate(state: State): void {
  for (let task = state.settled.pop(); task !== undefined; task = state.settled.pop()) {
    const code = state.code(task);
    const failed = code === AT.failed && !state.task(task).allowFailure;
    if (code === AT.fresh || code === AT.done || code === AT.skipped) satisfy(state, task);
    else if (code === AT.failed && !failed) satisfy(state, task);
    else if (code === AT.pruned) leaveOut(state, task);
    else if (code !== AT.cancelled || state.stopAll === undefined) {
      block(state, task, state.notes(task).culprit ?? task);
    }
    if (failed) fail(state, task);
  }
}

function satisfy(state: State, task: number): void {
  state.eachDependent(task, (dependent) => satisfyOne(state, dependent));
}

function satisfyOne(state: State, dependent: number): void {
  const left = (state.remaining[dependent] as number) - 1;
  state.remaining[dependent] = left;
  if (left > 0 || state.code(dependent) !== AT.waiting) return;
  if (state.notes(dependent).leftOut === true) state.settle(dependent, { at: "pruned" });
  else unblock(state, dependent);
}

/**
 * Those that gather go on without a trial that was ended early; those that need it end with it, but
 * only once all they wait for is over: a failure counts for more, whichever came first.
 */
function leaveOut(state: State, task: number): void {
  state.eachDependent(task, (dependent) => {
    if (!state.task(dependent).bearsPruned) {
      if (isLive(state.code(dependent))) state.note(dependent).culprit ??= task;
      state.note(dependent).leftOut = true;
    }
    satisfyOne(state, dependent);
  });
}

function block(state: State, task: number, culprit: number): void {
  state.eachDependent(task, (dependent) => {
    const code = state.code(dependent);
    if (isLive(code)) state.note(dependent).culprit ??= culprit;
    else if (!isFinal(code)) state.settle(dependent, { at: "blocked", by: culprit });
  });
}

function fail(state: State, task: number): void {
  const { group, failFast } = state.task(task);
  if (state.options.failFast) {
    halt(state);
    stopLive(state, { how: "graceful", reason: "shutdown" });
  } else if (!state.options.keepGoing) halt(state);
  if (!failFast || group < 0) return;
  for (let member = 0; member < state.plan.size; member += 1) {
    if (state.task(member).group === group) {
      stopTask(state, member, { how: "graceful", reason: "shutdown" });
    }
  }
}

/** From now on nothing new starts; what the backend has not accepted yet is taken back. */
export function halt(state: State): void {
  if (state.halted) return;
  state.halted = true;
  for (let task = 0; task < state.plan.size; task += 1) {
    if (state.code(task) === AT.deferred) {
      stopTask(state, task, { how: "graceful", reason: "shutdown" });
    }
  }
}

export function stopLive(state: State, stop: Stop): void {
  for (let task = 0; task < state.plan.size; task += 1) {
    if (isLive(state.code(task))) stopTask(state, task, stop);
  }
}

/** Asks a live attempt to stop, or takes a task out that has none. */
export function stopTask(state: State, task: number, stop: Stop): void {
  const code = state.code(task);
  if (isFinal(code)) return;
  if (!isLive(code)) {
    if (isFinalStop(stop)) settleStopped(state, task, stop, state.notes(task).outcome);
    return;
  }
  const before = state.notes(task).stop;
  const forced = stop.how === "forced" && before?.how !== "forced";
  const reason = isFinalStop(before) ? (before as Stop).reason : stop.reason;
  const how = before?.how === "forced" ? "forced" : stop.how;
  state.note(task).stop = { how, reason };
  if (before === undefined || forced) sendStop(state, task);
}

/** Sends the stop on record; without a serial it waits for the claim. */
export function sendStop(state: State, task: number): void {
  const stop = state.notes(task).stop;
  const serial = state.serial[task] as number;
  if (stop === undefined || serial === 0) return;
  state.emit({ type: "stop", task, serial, how: stop.how, reason: stop.reason });
}

export function settleStopped(
  state: State,
  task: number,
  stop: Stop,
  outcome: Outcome | undefined,
): void {
  if (stop.reason === "pruned") state.settle(task, { at: "pruned" });
  else state.settle(task, { at: "cancelled", outcome });
}

/** Nothing is live and nothing new may start: what is left will not run. */
export function sweep(state: State): void {
  for (let task = 0; task < state.plan.size; task += 1) {
    if (isFinal(state.code(task))) continue;
    const { outcome } = state.notes(task);
    if (outcome?.type === "failed" || outcome?.type === "oom") {
      state.settle(task, { at: "failed", outcome });
    } else {
      state.settle(task, { at: "cancelled", outcome });
    }
  }
  propagate(state);
}

/** Ends the waits that are over. */
export function tick(state: State): void {
  state.wakeAt = undefined;
  for (let due = dueTimer(state); due !== undefined && due <= state.now; due = dueTimer(state)) {
    const task = state.timers.pop() as number;
    if (state.code(task) === AT.backoff) resume(state, task);
    else if (!isFinalStop(state.notes(task).stop)) {
      state.move(task, "submitting");
      state.emit({ type: "resubmit", task, serial: state.serial[task] as number });
    }
  }
}

/** Asks for a `tick` when the next wait ends, unless that has been asked already. */
export function wake(state: State): void {
  const at = dueTimer(state);
  if (at === undefined || at === state.wakeAt) return;
  state.wakeAt = at;
  state.emit({ type: "wake", at });
}

/** When the next wait ends; timers of waits that ended otherwise are dropped. */
function dueTimer(state: State): number | undefined {
  for (;;) {
    const task = state.timers.top;
    if (task === undefined) return undefined;
    const code = state.code(task);
    const waits = code === AT.backoff || code === AT.deferred;
    if (waits && state.notes(task).until === state.timers.topKey) return state.timers.topKey;
    state.timers.pop();
  }
}
