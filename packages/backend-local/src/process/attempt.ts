// One attempt as this flow process knows it, and the reading of its end from its files.

import {
  type AttemptKey,
  type Exit,
  exitWith,
  type Observation,
  type StopReason,
} from "@flow/core";
import {
  type AttemptFiles,
  type ExitRecord,
  parseCpuSeconds,
  parseExit,
  parseStop,
  readText,
  type StopPolicy,
  signalName,
} from "./files.ts";
import type { Leader, LeaderExit } from "./launch.ts";
import type { Asked } from "./terminate.ts";
import type { ProcessIdentity } from "./table.ts";

/** What is known of an attempt; `observation` says whether it is over. */
export interface Attempt {
  readonly key: AttemptKey;
  readonly files: AttemptFiles;
  readonly policy: StopPolicy;
  observation: Observation;
  /** The shell around its actions; absent until it is known. */
  leader: ProcessIdentity | undefined;
  /** Whether the leader leads a session of the attempt's own. */
  readonly ownsSession: boolean;
  /** That shell, when this process started it. */
  shell: Leader | undefined;
  /** Unix milliseconds, for display. */
  readonly startedAt: number | undefined;
  /** Seconds since boot when it started; absent when unknown. */
  readonly startedUptime: number | undefined;
  stop: Stop | undefined;
  peakMemoryBytes: number | undefined;
  /** Undo what was arranged for it: timers, watches. */
  readonly arranged: Set<() => void>;
  /** Resolves when its end is told; absent while it runs. */
  ending: Promise<void> | undefined;
}

/** A stop under way. */
interface Stop {
  readonly reason: StopReason;
  /** Whether the stop file could be written, so that the attempt's shell knows of it. */
  readonly recorded: boolean;
  killing: boolean;
  readonly asked: Asked;
}

/** What is seen of an attempt's end beside its files. */
export interface EndContext {
  readonly leader: LeaderExit | undefined;
  readonly uptime: number;
  readonly wall: number;
  readonly host: string;
  readonly outOfMemory: boolean;
  /** Processes that were left behind. */
  readonly leftovers: number;
  /** Why it is thought to be over when there is no result. */
  readonly lost: string;
}

/** Observed of a handle that names nothing. */
export const NEVER_STARTED: Observation = {
  type: "ended",
  exit: exitWith({ cause: "lost", detail: "Its handle names no attempt of this machine." }),
};

/**
 * The result of an attempt that wrote one; undefined while it has not. Where a full disk has no room for
 * another file, it stands in the claim, as that of a brief attempt does.
 */
export function readExit({ files }: Pick<Attempt, "files">): ExitRecord | undefined {
  return parseExit(readText(files.exit) ?? "") ?? parseExit(readText(files.started) ?? "");
}

/** The facts of an attempt's end. */
export function exitOf(
  attempt: Attempt,
  record: ExitRecord | undefined,
  context: EndContext,
): Exit {
  const signal = record === undefined ? context.leader?.signal : signalName(record.signal);
  const stopped = stopReason(attempt, record);
  // When an attempt of an earlier flow ended is only known if it says so itself.
  const endUptime = record?.uptime ?? (context.leader === undefined ? undefined : context.uptime);
  const { startedUptime } = attempt;
  const durationMs =
    startedUptime === undefined || endUptime === undefined
      ? undefined
      : Math.max(0, Math.round((endUptime - startedUptime) * 1000));
  const endedAt =
    endUptime === undefined
      ? undefined
      : Math.round(context.wall - Math.max(0, context.uptime - endUptime) * 1000);
  return {
    // What a full machine kept from running did not fail by itself.
    code: record?.error === "system" ? undefined : record?.code,
    signal,
    action:
      record === undefined || record.action === 0 || record.code === 0
        ? undefined
        : record.action - 1,
    stopped,
    cause: externalCause(record, signal, stopped, context),
    startedAt: attempt.startedAt,
    endedAt,
    durationMs,
    node: context.host,
    usage: usage(attempt, context),
    leaky: context.leftovers > 0 && stopped === undefined && record?.code === 0,
    detail: detail(record, context),
  };
}

function stopReason(attempt: Attempt, record: ExitRecord | undefined): StopReason | undefined {
  const ended = record !== undefined && !record.stopped;
  if (ended && attempt.stop?.recorded !== false) return undefined;
  const text = readText(attempt.files.stop);
  return text === undefined ? attempt.stop?.reason : parseStop(text).reason;
}

function externalCause(
  record: ExitRecord | undefined,
  signal: string | undefined,
  stopped: StopReason | undefined,
  context: EndContext,
): Exit["cause"] {
  if (signal === "SIGKILL" && stopped === undefined && context.outOfMemory) return "out-of-memory";
  const isLost = record === undefined || record.error === "system";
  return isLost && stopped === undefined ? "lost" : undefined;
}

function usage(attempt: Attempt, context: EndContext): Exit["usage"] {
  const isTold = context.leader?.result !== undefined;
  const cpuSeconds = isTold
    ? context.leader?.cpuSeconds
    : parseCpuSeconds(readText(attempt.files.usage) ?? "");
  if (cpuSeconds === undefined && attempt.peakMemoryBytes === undefined) return undefined;
  return {
    cpuSeconds,
    peakMemoryBytes: attempt.peakMemoryBytes,
    gpuPeakMemoryBytes: undefined,
  };
}

function detail(record: ExitRecord | undefined, context: EndContext): string | undefined {
  if (record === undefined) return context.lost;
  switch (record.error) {
    case undefined:
      return undefined;
    case "cwd":
      return "The working directory is missing or closed.";
    case "stdin":
      return "The file for the standard input is missing or closed.";
    default:
      return "The shell could not start a process or write a file.";
  }
}
