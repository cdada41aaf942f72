// How an attempt ended, from the runner's own record or, where there is none, from what the service
// says about its task. Pure.

import { constants } from "node:os";
import { type Exit, exitWith, stopReason } from "@flow/core";
import { type ExitRecord, factsOf } from "@flow/task-py";
import type { TaskRow } from "../service/batch-port.ts";
import { explain } from "../service/explain.ts";
import type { Life, StopRequest } from "./files.ts";

export function exitOfRecord(
  record: ExitRecord,
  row: TaskRow | undefined,
  stop: StopRequest | undefined,
): Exit {
  const killed = record.signal === constants.signals.SIGKILL && stop?.kill === true;
  const facts = factsOf(record);
  const told = facts.stopped === undefined ? undefined : stopReason(facts.stopped);
  const stopped = told ?? (killed ? stop.reason : undefined);
  return exitWith({
    ...facts,
    stopped,
    startedAt: row?.startedAt,
    endedAt: row?.endedAt,
    node: row?.node,
    leaky: record.leaky > 0 && stopped === undefined && record.code === 0,
  });
}

/** Exit codes that `node.sh` keeps for itself: the attempt is somebody else's; the node could not begin it. */
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
  /** No node has the attempt's claim, and none will get it any more. */
  readonly isUnclaimed: boolean;
  /** Why the job has ended, in the service's word; undefined while it goes on, or where nobody has asked. */
  readonly jobEnd: string | undefined;
}

/** Whether somebody or something ended the task, as the service words it. */
export const wasEnded = (row: TaskRow | undefined): boolean =>
  row?.failure?.code.toLowerCase() === "taskended";

/** Whether the service could not even begin the command, so that the claim tells whether anything ran. */
export const wasNotLaunched = (row: TaskRow | undefined): boolean =>
  row?.state === "completed" &&
  row.exitCode === undefined &&
  row.failure !== undefined &&
  !wasEnded(row);

/** On another node it would be the same. */
const HOPELESS: ReadonlySet<string> = new Set([
  "commandprogramnotfound",
  "containerimagenotfound",
  "containerinvalidimage",
  "containerpoolnotsupported",
]);

/** The end of an attempt that left no result. */
export function exitWithoutRecord(facts: Facts): Exit {
  const { row, life, stop, priority, lastLine, isUnclaimed } = facts;
  const base = exitWith({ startedAt: life?.startedAt, endedAt: row?.endedAt, node: life?.node });
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
      detail:
        "its job in Azure Batch ended before it could begin; raise `max_time` or `max_node_hours`",
    };
  if (failure !== undefined && isOverTime(failure))
    return {
      ...base,
      cause: "time-limit",
      detail:
        "reached the time the service allows; raise `max_time`, `max_node_hours` or the task's `timeout`",
    };
  if (wasEnded(row)) return { ...base, ...endedByOthers(facts.jobEnd) };
  if (exitCode !== undefined && exitCode > 0) {
    const how = exitCode === NOT_BEGUN ? { cause: "not-begun" as const } : { code: exitCode };
    return {
      ...base,
      ...how,
      detail: `the node could not run it: ${lastLine ?? `exit ${exitCode}`}`,
    };
  }
  const details = failure?.details.map(({ name, value }) => `${name}: ${value}`).join(", ") ?? "";
  const said =
    failure === undefined
      ? `its task ended without a result${lastLine === undefined ? "" : `: ${lastLine}`}`
      : `its task failed on Azure Batch: ${explain(failure.code, failure.message)}${details === "" ? "" : ` (${details})`}`;
  const mayBegin = isUnclaimed && !HOPELESS.has(failure?.code.toLowerCase() ?? "");
  return { ...base, cause: mayBegin ? "not-begun" : "lost", detail: said };
}

/** The end of a task that flow has not asked for. */
function endedByOthers(jobEnd: string | undefined): Pick<Exit, "cause" | "detail"> {
  if (jobEnd === "maxwallclocktimeexpiry")
    return {
      cause: "time-limit",
      detail:
        "its job in Azure Batch reached its time and ended; raise `max_time` or `max_node_hours`",
    };
  const what = jobEnd === undefined ? "task" : "job";
  return { cause: "lost", detail: `somebody else ended its ${what} in Azure Batch` };
}

/** The end of an attempt whose node was taken away. */
export const displaced = (life: Life | undefined, priority: "dedicated" | "low"): Exit => {
  const node = life === undefined ? "its node" : `its node ${life.node}`;
  return exitWith({
    cause: priority === "low" ? "preempted" : "node-failed",
    startedAt: life?.startedAt,
    node: life?.node,
    detail: priority === "low" ? `${node} was preempted` : `${node} was lost`,
  });
};
