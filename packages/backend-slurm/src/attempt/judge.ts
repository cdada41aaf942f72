// What is known of an attempt, from its files and from what the scheduler lists. The exit file of the
// present incarnation is the result; the scheduler only says whether there is still a job that may
// write one. Pure.

import {
  type Exit,
  type ExternalCause,
  exitWith,
  type Observation,
  type StopReason,
  stopReason,
} from "@flow/core";
import { type ExitRecord, factsOf } from "@flow/task-py";
import type { Row } from "../schedulers/scheduler.ts";
import type { Incarnation } from "./files.ts";

/** A shared file system may show a file this much later than the scheduler knows of the job's end. */
export const SETTLE_MS = 5000;

/** Wait for the end of the job of a program that failed. */
const VERDICT_MS = 10_000;

export interface Evidence {
  /** The job as listed; undefined: not listed; `unreachable`: the scheduler did not answer. */
  readonly row: Row | undefined | "unreachable";
  /** The incarnation that counts: the one the scheduler speaks of, or the last that started. */
  readonly incarnation: Incarnation;
  /** flow's own stop request. */
  readonly stop: StopReason | undefined;
  /** Milliseconds since the evidence was first as it is. */
  readonly unchangedMs: number;
  /** Why the scheduler cannot be asked, for people. */
  readonly trouble: string;
}

export type Queued = Extract<Observation, { readonly type: "queued" }>;

export type Verdict =
  | Exclude<Observation, { readonly type: "ended" }>
  | { readonly type: "ended"; readonly exit: Exit }
  /** There is no job any more and nothing of a start: it must be fenced before that is believed. */
  | { readonly type: "vanished" };

export function judge(evidence: Evidence): Verdict {
  const { row, incarnation } = evidence;
  if (row === "unreachable") {
    const { exit, requeued } = incarnation;
    return exit !== undefined && !requeued
      ? ended(evidence, exit, undefined)
      : { type: "unknown", why: evidence.trouble };
  }
  if (row === undefined) return judgeUnlisted(evidence);
  if (row.phase === "ended") return judgeEnded(evidence, row);
  return judgeListed(evidence, row);
}

function judgeListed(evidence: Evidence, row: Row): Verdict {
  const { incarnation } = evidence;
  const { exit, requeued } = incarnation;
  if (exit !== undefined && !requeued && !(wantsVerdict(exit) && evidence.unchangedMs < VERDICT_MS))
    return ended(evidence, exit, undefined);
  if (row.phase === "waiting" || (requeued && row.phase === "ending")) return queued(row, requeued);
  return { type: "running", since: incarnation.startedAt, node: row.node };
}

/** A job that waits, and what for. */
export function queued({ why, stuck, state }: Row, requeued: boolean = false): Queued {
  if (stuck)
    return { type: "queued", why: `it will not start by itself: ${why ?? state}`, stuck: true };
  const isRestart = requeued || why === "BeginTime";
  return { type: "queued", why: isRestart ? "it is being requeued" : why };
}

function judgeEnded(evidence: Evidence, row: Row): Verdict {
  const { incarnation, unchangedMs, stop } = evidence;
  if (incarnation.exit !== undefined) return ended(evidence, incarnation.exit, row);
  const neverStarted = incarnation.started === undefined && row.cancelled;
  if (unchangedMs < SETTLE_MS && !neverStarted)
    return { type: "running", since: incarnation.startedAt, node: row.node };
  const cause: ExternalCause | undefined = row.cause ?? (row.cancelled ? undefined : "lost");
  return {
    type: "ended",
    exit: exitWith({
      signal: row.cancelled && incarnation.started !== undefined ? "SIGKILL" : undefined,
      stopped: row.cancelled ? (stop ?? "user") : stop,
      cause: stop === undefined || row.cause !== undefined ? cause : undefined,
      startedAt: incarnation.startedAt,
      node: row.node,
      ...restarts(incarnation),
      detail: explain(row, incarnation),
    }),
  };
}

function judgeUnlisted(evidence: Evidence): Verdict {
  const { incarnation, unchangedMs, stop } = evidence;
  if (incarnation.exit !== undefined) return ended(evidence, incarnation.exit, undefined);
  if (unchangedMs < SETTLE_MS)
    return { type: "unknown", why: "the scheduler does not list its job" };
  if (incarnation.started === undefined) return { type: "vanished" };
  return {
    type: "ended",
    exit: exitWith({
      signal: stop === undefined ? undefined : "SIGKILL",
      stopped: stop,
      cause: stop === undefined ? "lost" : undefined,
      startedAt: incarnation.startedAt,
      node: incarnation.started.host,
      ...restarts(incarnation),
      detail: "its job is gone and left no result",
    }),
  };
}

/**
 * A program that failed may yet be restarted by the scheduler, which it asks after its result is
 * written, or was killed for want of memory: the end of the job tells.
 */
const wantsVerdict = ({ code }: ExitRecord): boolean => code !== 0;

function explain(row: Row, { started }: Incarnation): string {
  if (row.cause === "node-failed") return `its node failed (${row.state})`;
  if (row.cause === "preempted") return "preempted by the scheduler";
  if (row.cause === "time-limit") return `reached the scheduler's time limit (${row.state})`;
  if (row.cause === "out-of-memory") return "ran out of the memory it was granted (OUT_OF_MEMORY)";
  if (row.cancelled) return "its job was cancelled";
  return started === undefined
    ? `its job ended (${row.state}) before the program could start`
    : `its job ended (${row.state}) without a result`;
}

function ended(evidence: Evidence, record: ExitRecord, row: Row | undefined): Verdict {
  const { incarnation } = evidence;
  const facts = factsOf(record);
  // The program may end before its runner hears of the stop.
  const isKilled = record.code > 128 && row?.cancelled === true;
  const unheard = evidence.stop ?? (isKilled ? "user" : undefined);
  const told = facts.stopped === undefined ? unheard : stopReason(facts.stopped);
  // The node asks while the scheduler is still at it; the state in the end is sure.
  const isPreempted =
    told !== undefined && evidence.stop === undefined && row?.cause === "preempted";
  const stopped = isPreempted ? "preempt" : told;
  const memory = row?.cause === "out-of-memory" && record.code !== 0;
  return {
    type: "ended",
    exit: {
      ...facts,
      stopped,
      cause: memory ? "out-of-memory" : undefined,
      startedAt: incarnation.startedAt,
      endedAt: endOf(incarnation, record),
      node: incarnation.started?.host,
      machine: incarnation.machine,
      leaky: record.leaky > 0 && stopped === undefined && record.code === 0,
      ...restarts(incarnation),
    },
  };
}

const endOf = ({ startedAt }: Incarnation, { wallSeconds }: ExitRecord): number | undefined =>
  startedAt === undefined || wallSeconds === undefined
    ? undefined
    : Math.round(startedAt + wallSeconds * 1000);

const restarts = ({ restart }: Incarnation): Pick<Exit, "restarts"> =>
  restart === 0 ? {} : { restarts: restart };
