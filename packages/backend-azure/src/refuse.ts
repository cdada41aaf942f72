// What tasks of Azure Batch cannot do, said when the plan is made. Pure.

import { type Task, unreturnedMetrics } from "@flow/core";

/** A sentence that begins with a verb; undefined when the task can run there. */
export function refuse(task: Task): string | undefined {
  if (task.interactive)
    return "asks for the terminal (`interactive`), and tasks of Azure Batch have none";
  if (task.resources.mpiProcesses !== undefined && (task.resources.nodes ?? 1) < 2)
    return "asks for MPI processes (`resources.mpi`) on one node; start them in the action, or ask for several `nodes`";
  const glob = unreturnedMetrics(task);
  if (glob !== undefined)
    return `has metrics in \`${glob}\`, which would stay on the node; make their folder a target or one of \`outputs\`, or name the file`;
  return undefined;
}
