// Stopping an attempt: the request on file, the signal to its program, and after the grace the end of
// its tree. Time limits are stops that nobody asked for.

import type { Clock, Log, StopReason } from "@flow/core";
import type { Attempt } from "./attempt.ts";
import { createStopFile, parseLastAction, parseStop, readText } from "./files.ts";
import type { ProcessTable } from "./table.ts";
import { killMembers, newAsked, send, signalPrograms, type Tree } from "./terminate.ts";

/** How often programs that appear during a grace are looked for. */
const GRACE_STEP_MS = 100;
/** How long the shell has to write the result after its program was killed. */
const RESULT_MS = 2000;
/** How often the start of an action with a time limit is looked for. */
const ACTION_STEP_MS = 200;

export interface StopContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly table: ProcessTable;
}

/** The processes of an attempt whose leader is known to be its own. */
export const treeOf = (attempt: Attempt): (Tree & { readonly leader: number }) | undefined =>
  attempt.leader && {
    leader: attempt.leader.pid,
    ownsSession: attempt.ownsSession,
    mark: attempt.files.directory,
  };

/** Asks a running attempt to stop, or kills it. Repeating changes nothing; `forced` cuts a grace short. */
export function stop(
  attempt: Attempt,
  how: "graceful" | "forced",
  reason: StopReason,
  context: StopContext,
): void {
  const graceMs = how === "graceful" ? attempt.policy.graceMs : 0;
  if (attempt.stop === undefined) {
    attempt.stop = {
      reason,
      recorded: record(attempt, reason, graceMs, context),
      killing: false,
      asked: newAsked(),
    };
    if (how === "graceful") grace(attempt, graceMs, true, context);
  }
  if (how === "forced") kill(attempt, context);
}

/** Goes on with a stop that an earlier flow began: its grace ends when it was to end. */
export function resumeStop(attempt: Attempt, context: StopContext): void {
  const text = readText(attempt.files.stop);
  if (text === undefined || attempt.stop !== undefined) return;
  const { reason, killAt } = parseStop(text);
  attempt.stop = { reason, recorded: true, killing: false, asked: newAsked() };
  const left = killAt === undefined ? attempt.policy.graceMs : killAt * 1000 - context.clock.wall();
  grace(attempt, Math.min(Math.max(left, 0), attempt.policy.graceMs), false, context);
}

/** Arranges the attempt's time limits, counted from its start. */
export function arrangeTimeouts(attempt: Attempt, context: StopContext): void {
  const { timeoutMs, actionTimeoutsMs } = attempt.policy;
  const since = (uptime: number | undefined): number =>
    uptime === undefined ? 0 : (context.table.uptime() - uptime) * 1000;
  const expire = (): void => stop(attempt, "graceful", "deadline", context);
  if (timeoutMs !== undefined)
    arrange(attempt, timeoutMs - since(attempt.startedUptime), expire, context);
  if (actionTimeoutsMs.every((limit) => limit === undefined)) return;
  const look = (): void => {
    const last = parseLastAction(readText(attempt.files.started) ?? "");
    const limit = last && actionTimeoutsMs[last.action - 1];
    if (last !== undefined && limit !== undefined && since(last.uptime) >= limit) expire();
    else arrange(attempt, ACTION_STEP_MS, look, context);
  };
  arrange(attempt, ACTION_STEP_MS, look, context);
}

/** Calls back after a time unless the attempt has ended by then. */
export function arrange(
  attempt: Attempt,
  delayMs: number,
  callback: () => void,
  context: Pick<StopContext, "clock">,
): void {
  const cancel = context.clock.after(Math.max(0, delayMs), () => {
    attempt.arranged.delete(cancel);
    callback();
  });
  attempt.arranged.add(cancel);
}

/** Writes the stop file. A disk that refuses it does not save the program from its signal. */
function record(
  attempt: Attempt,
  reason: StopReason,
  graceMs: number,
  { clock, log }: StopContext,
): boolean {
  const at = clock.wall() / 1000;
  try {
    createStopFile(attempt.files.stop, {
      reason,
      at: Math.floor(at),
      killAt: Math.ceil(at + graceMs / 1000),
    });
    return true;
  } catch (error) {
    log.warn(`The stop file of attempt ${attempt.key} could not be written: ${String(error)}`);
    return false;
  }
}

/** Signals the programs, also those that appear later, until the grace is over; then kills. */
function grace(attempt: Attempt, graceMs: number, signals: boolean, context: StopContext): void {
  const { signal } = attempt.policy;
  const reach = (): void => {
    if (attempt.leader === undefined || attempt.stop === undefined || attempt.stop.killing) return;
    signalPrograms(attempt.leader.pid, signal as NodeJS.Signals, context.table, attempt.stop.asked);
    arrange(attempt, GRACE_STEP_MS, reach, context);
  };
  if (signals && signal !== "none") reach();
  arrange(attempt, graceMs, () => kill(attempt, context), context);
}

/** Kills what the attempt runs, then the shell around it if that does not write the result. */
function kill(attempt: Attempt, context: StopContext): void {
  const tree = treeOf(attempt);
  if (tree === undefined || attempt.stop === undefined || attempt.stop.killing) return;
  attempt.stop.killing = true;
  const round = (): void => {
    void killMembers(tree, context.table, context.clock).then(() => {
      if (attempt.ending === undefined) arrange(attempt, GRACE_STEP_MS, round, context);
    });
  };
  round();
  arrange(attempt, RESULT_MS, () => send(tree.leader, "SIGKILL"), context);
}
