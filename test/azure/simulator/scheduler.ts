/**
 * Puts tasks on nodes: jobs by priority, tasks in the order in which they were added, nodes by the pool's
 * fill type. Called after every change; it finds from the state alone what can start.
 */
import type { Account, Job, Node, Pool, Task } from "./account.ts";
import { exitOptions, settleJobs } from "./jobs.ts";
import { freeSlots } from "./nodes.ts";
import { settlePools } from "./pools.ts";
import { placeTask } from "./tasks.ts";

/** Moves everything in the account that can move. */
export function settle(account: Account): void {
  settleJobs(account);
  settlePools(account);
  const jobs = [...account.jobs.values()]
    .filter(({ state }) => state === "active")
    .sort((a, b) => (b.spec.priority ?? 0) - (a.spec.priority ?? 0));
  for (const job of jobs) {
    const pool = account.findPool(job.poolId ?? "");
    if (pool?.state === "active") placeTasks(account, job, pool);
  }
}

function placeTasks(account: Account, job: Job, pool: Pool): void {
  const tasks = [...job.tasks.values()];
  const limit = job.spec.maxParallelTasks ?? -1;
  let busy = tasks.filter(({ placement, state }) => placement && state !== "completed").length;
  for (const task of tasks) {
    if (limit >= 0 && busy >= limit) return;
    if (task.state !== "active" || task.placement !== undefined || !isReady(task)) continue;
    const nodes = choose(pool, task);
    if (nodes === undefined) continue;
    placeTask(account, task, nodes);
    busy += 1;
  }
}

function isReady(task: Task): boolean {
  const { dependsOn } = task.spec;
  const ranges = (dependsOn?.taskIdRanges ?? []).flatMap(({ start, end }) =>
    Array.from({ length: end - start + 1 }, (_, index) => String(start + index)),
  );
  return [...(dependsOn?.taskIds ?? []), ...ranges].every((id) => {
    const other = task.job.tasks.get(id.toLowerCase());
    if (other?.state !== "completed") return false;
    return (
      other.execution?.result === "success" || exitOptions(other)?.dependencyAction === "satisfy"
    );
  });
}

function choose(pool: Pool, task: Task): readonly Node[] | undefined {
  const usable = [...pool.nodes.values()].filter(
    ({ state, schedulingState, preparations }) =>
      schedulingState === "enabled" &&
      (state === "idle" || state === "running") &&
      preparations.get(task.job.id)?.result !== "failure",
  );
  const multi = task.spec.multiInstanceSettings;
  if (multi !== undefined) {
    const wanted = multi.numberOfInstances ?? 1;
    const idle = usable.filter((node) => freeSlots(node) === (pool.spec.taskSlotsPerNode ?? 1));
    return idle.length >= wanted ? idle.slice(0, wanted) : undefined;
  }
  const slots = task.spec.requiredSlots ?? 1;
  const fitting = usable.filter((node) => freeSlots(node) >= slots);
  const isPacked = pool.spec.taskSchedulingPolicy?.nodeFillType === "pack";
  const [best] = fitting.sort((a, b) =>
    isPacked ? freeSlots(a) - freeSlots(b) : freeSlots(b) - freeSlots(a),
  );
  return best === undefined ? undefined : [best];
}
