// What tasks of Azure Batch cannot do, said when the plan is made. Pure.

import type { Task } from "@flow/core";

/** A sentence that begins with a verb; undefined when the task can run there. */
export function refuse(task: Task): string | undefined {
  if (task.interactive)
    return "asks for the terminal (`interactive`), and tasks of Azure Batch have none";
  if (task.resources.mpiProcesses !== undefined && (task.resources.nodes ?? 1) < 2)
    return "asks for MPI processes (`resources.mpi`) on one node; start them in the action, or ask for several `nodes`";
  return undefined;
}
