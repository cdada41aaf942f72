// The formula by which a pool follows its tasks and ends. Pure.

export interface ScaleRequest {
  readonly priority: "dedicated" | "low";
  readonly slots: number;
  /** Nodes at most. */
  readonly nodes: number;
  /** Nodes to begin with, and until when (Unix milliseconds): the service has no samples yet that say more. */
  readonly first: number;
  readonly firstUntil: number;
  /** After this moment there are no nodes whatever waits (Unix milliseconds); absent: no end. */
  readonly until: number | undefined;
}

/** The shortest the service takes. */
export const SCALE_INTERVAL = "PT5M";

/**
 * As many nodes as the waiting and running tasks need, averaged over three minutes; tasks that run are
 * never cut short; after the end nothing is left, even if nobody is there to see to it.
 */
export function scaleFormula({
  priority,
  slots,
  nodes,
  first,
  firstUntil,
  until,
}: ScaleRequest): string {
  const target = priority === "low" ? "$TargetLowPriorityNodes" : "$TargetDedicatedNodes";
  const other = priority === "low" ? "$TargetDedicatedNodes" : "$TargetLowPriorityNodes";
  const wanted = `min(${nodes}, needed)`;
  return [
    "known = $PendingTasks.GetSamplePercent(180 * TimeInterval_Second);",
    "tasks = known < 70 ? max($PendingTasks.GetSample(1)) : avg($PendingTasks.GetSample(180 * TimeInterval_Second));",
    `needed = time() < ${moment(firstUntil)} ? ${first} : (tasks + ${slots - 1}) / ${slots};`,
    until === undefined
      ? `${target} = ${wanted};`
      : `${target} = time() > ${moment(until)} ? 0 : ${wanted};`,
    `${other} = 0;`,
    "$NodeDeallocationOption = taskcompletion;",
  ].join("\n");
}

const moment = (wall: number): string => `time("${new Date(wall).toUTCString()}")`;
