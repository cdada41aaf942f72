// How an attempt ended, from the runner's own record or, where there is none, from what the service
// says about its task. Pure.

import { constants } from "node:os";
import type { Exit, StopReason } from "@flow/core";
import type { ExitRecord } from "@flow/task-py";
import type { TaskRow } from "../service/batch-port.ts";
import { explain } from "../service/explain.ts";
import { BLANK_EXIT, type Life, type StopRequest } from "./files.ts";

const STOP_REASONS: ReadonlySet<string> = new Set<StopReason>([
  "deadline",
  "preempt",
  "user",
  "pruned",
  "hung",
  "shutdown",
]);

/** What a runner's word for a stop means: a task's own time limit is a deadline too. */
function stopReason(word: string | undefined): StopReason | undefined {
  if (word === undefined) return undefined;
  if (word === "timeout") return "deadline";
  return STOP_REASONS.has(word) ? (word as StopReason) : "user";
}

const ERRORS: Readonly<Record<string, string>> = {
  spec: "The runner could not read the attempt's specification on the node.",
  cwd: "The working directory is missing or closed on the node.",
  stdin: "The file for the standard input is missing or closed on the node.",
  dirs: "A directory could not be made on the node.",
  system: "The node could not start a process or write a file.",
};

export function exitOfRecord(
  record: ExitRecord,
  row: TaskRow | undefined,
  stop: StopRequest | undefined,
): Exit {
  const killed = record.signal === constants.signals.SIGKILL && stop?.kill === true;
  const stopped = stopReason(record.stopped) ?? (killed ? stop.reason : undefined);
  const { userSeconds, systemSeconds, maxRssKib, wallSeconds } = record;
  const endedAt = row?.endedAt;
  return {
    ...BLANK_EXIT,
    code: record.code,
    signal: signalName(record.signal),
    action: record.action === 0 || record.code === 0 ? undefined : record.action - 1,
    stopped,
    startedAt: row?.startedAt,
    endedAt,
    durationMs: wallSeconds === undefined ? undefined : wallSeconds * 1000,
    node: row?.node,
    usage:
      userSeconds === undefined && maxRssKib === undefined
        ? undefined
        : {
            cpuSeconds:
              userSeconds === undefined || systemSeconds === undefined
                ? undefined
                : userSeconds + systemSeconds,
            peakMemoryBytes: maxRssKib === undefined ? undefined : maxRssKib * 1024,
            gpuPeakMemoryBytes: undefined,
          },
    leaky: record.leaky > 0 && stopped === undefined && record.code === 0,
    detail: record.error === undefined ? undefined : (ERRORS[record.error] ?? ERRORS["system"]),
  };
}

const signalName = (number: number): string | undefined =>
  Object.entries(constants.signals).find(([, value]) => value === number)?.[0];

/** Exit codes of `node.sh`: the attempt is somebody else's; the node could not begin it. */
const TAKEN = 96;
const NOT_BEGUN = 97;

/** The service itself ended it; on request the category is the user's. */
const isOverTime = ({ code, category }: NonNullable<TaskRow["failure"]>): boolean =>
  code.toLowerCase() === "taskended" && category === "servererror";

export interface Facts {
  /** Undefined: the task, or its job, is gone. */
  readonly row: TaskRow | undefined;
  readonly life: Life | undefined;
  readonly stop: StopRequest | undefined;
  readonly priority: "dedicated" | "low";
  /** The last line the node itself left; absent when it left none. */
  readonly lastLine: string | undefined;
}

/** The end of an attempt that left no result. */
export function exitWithoutRecord({ row, life, stop, priority, lastLine }: Facts): Exit {
  const base = {
    ...BLANK_EXIT,
    startedAt: life?.startedAt,
    endedAt: row?.endedAt,
    node: life?.node,
  };
  if (row?.exitCode === TAKEN) return displaced(life, priority);
  if (stop !== undefined)
    return {
      ...base,
      signal: life === undefined ? undefined : "SIGKILL",
      stopped: stop.reason,
      detail: "its task was ended",
    };
  if (row === undefined)
    return {
      ...base,
      cause: "lost",
      detail: "its task is gone from Azure Batch and left no result",
    };
  const { failure, exitCode } = row;
  if (row.state === "active")
    return {
      ...base,
      cause: "time-limit",
      detail: "its job in Azure Batch ended before it could begin; raise `max_time`",
    };
  if (failure !== undefined && isOverTime(failure))
    return {
      ...base,
      cause: "time-limit",
      detail: "reached the time the service allows; raise `max_time` or the task's `timeout`",
    };
  if (exitCode === NOT_BEGUN || (exitCode !== undefined && exitCode > 0))
    return {
      ...base,
      code: exitCode,
      detail: `the node could not run it: ${lastLine ?? `exit ${exitCode}`}`,
    };
  const details = failure?.details.map(({ name, value }) => `${name}: ${value}`).join(", ") ?? "";
  const said =
    failure === undefined
      ? "its task ended without a result"
      : `its task failed on Azure Batch: ${explain(failure.code, failure.message)}${details === "" ? "" : ` (${details})`}`;
  return { ...base, cause: "lost", detail: said };
}

/** The end of an attempt whose node was taken away. */
export const displaced = (life: Life | undefined, priority: "dedicated" | "low"): Exit => {
  const node = life === undefined ? "its node" : `its node ${life.node}`;
  return {
    ...BLANK_EXIT,
    cause: priority === "low" ? "preempted" : "node-failed",
    startedAt: life?.startedAt,
    node: life?.node,
    detail: priority === "low" ? `${node} was preempted` : `${node} was lost`,
  };
};
