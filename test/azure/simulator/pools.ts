/** How pools come to their nodes: allocation, resize, autoscale, deletion. */
import type { BatchServiceModels as Models } from "@azure/batch";
import type { Account, Node, Pool } from "./account.ts";
import { evaluateFormula, type FormulaResult } from "./autoscale.ts";
import { durationMs } from "./clock.ts";
import { conflict } from "./errors.ts";
import { addNode, wipe } from "./nodes.ts";
import { requeueTasksOn, terminateTasksOn } from "./tasks.ts";

export function createPool(
  account: Account,
  spec: Models.PoolAddParameter,
  lifetimeOf?: string,
): Pool {
  const born = account.born("active" as const);
  const pool: Pool = {
    ...born,
    id: spec.id,
    spec: { ...spec },
    nodes: new Map(),
    ...(lifetimeOf === undefined ? {} : { lifetimeOf }),
    allocationState: "resizing",
    allocationStateTransitionTime: born.creationTime,
    deallocation: "requeue",
    resizeErrors: [],
    resizeStarted: account.clock.now(),
    made: 0,
  };
  account.pools.set(pool.id.toLowerCase(), pool);
  if (spec.enableAutoScale === true) scheduleAutoScale(account, pool);
  allocateLater(account, pool);
  return pool;
}

/** Gives a pool new targets; it becomes steady again after the account's delay. */
export function resize(
  account: Account,
  pool: Pool,
  dedicated: number,
  lowPriority: number,
  deallocation: Models.ComputeNodeDeallocationOption,
): void {
  pool.spec.targetDedicatedNodes = dedicated;
  pool.spec.targetLowPriorityNodes = lowPriority;
  pool.deallocation = deallocation;
  pool.resizeErrors = [];
  pool.resizeStarted = account.clock.now();
  enterAllocation(account, pool, "resizing");
  allocateLater(account, pool);
}

function allocateLater(account: Account, pool: Pool): void {
  account.clock.after(account.delays.allocate, () => {
    if (pool.state === "active" && pool.allocationState !== "steady") allocate(account, pool);
    account.changed();
  });
}

function enterAllocation(account: Account, pool: Pool, state: Pool["allocationState"]): void {
  if (pool.allocationState === state) return;
  pool.allocationState = state;
  pool.allocationStateTransitionTime = account.clock.stamp();
  account.touch(pool);
}

function allocate(account: Account, pool: Pool): void {
  if (pool.allocationState === "resizing")
    for (const dedicated of [true, false]) {
      const wanted = targetOf(pool, dedicated);
      const present = nodesOf(pool, dedicated);
      for (let count = present.length; count < wanted; count++) {
        const error = refusalOf(account, pool, dedicated);
        if (error !== undefined) {
          pool.resizeErrors = [...pool.resizeErrors, error];
          break;
        }
        addNode(account, pool, dedicated);
      }
      const surplus = [...present].sort(byBusiness).slice(0, Math.max(0, present.length - wanted));
      for (const node of surplus) removeNode(account, node, pool.deallocation);
    }
  enterAllocation(account, pool, "steady");
}

const byBusiness = (a: Node, b: Node): number => a.running.size - b.running.size;

export const targetOf = (pool: Pool, dedicated: boolean): number =>
  (dedicated ? pool.spec.targetDedicatedNodes : pool.spec.targetLowPriorityNodes) ?? 0;

export const nodesOf = (pool: Pool, dedicated: boolean): readonly Node[] =>
  [...pool.nodes.values()].filter((node) => node.dedicated === dedicated);

function refusalOf(
  account: Account,
  pool: Pool,
  dedicated: boolean,
): { code: string; message: string } | undefined {
  const limit = account.allocation[dedicated ? "dedicated" : "lowPriority"];
  const all = [...account.pools.values()].flatMap((each) => [...nodesOf(each, dedicated)]);
  if (limit !== undefined && all.length >= limit)
    return {
      code: account.allocation.code ?? "AllocationFailed",
      message: "Desired number of dedicated nodes could not be allocated",
    };
  const quota = account.quotas[dedicated ? "dedicatedCores" : "lowPriorityCores"];
  const used = all.reduce((sum, node) => sum + coresOf(node.pool.spec.vmSize), 0);
  if (used + coresOf(pool.spec.vmSize) <= quota) return undefined;
  return dedicated
    ? {
        code: "AccountCoreQuotaReached",
        message: "The specified account has reached core quota",
      }
    : {
        code: "AccountLowPriorityCoreQuotaReached",
        message: "The specified account has reached low priority core quota",
      };
}

/** Cores by the first number in the name of a size, as in `Standard_D4s_v3`. */
const coresOf = (vmSize: string): number => Number(/\D(\d+)/.exec(vmSize)?.[1] ?? 1);

/** Takes a node out of its pool, as `option` says about what runs there. */
export function removeNode(
  account: Account,
  node: Node,
  option: Models.ComputeNodeDeallocationOption,
): void {
  if (option === "taskcompletion" && node.running.size > 0) {
    account.enterNode(node, "leavingpool");
    return;
  }
  if (option === "terminate") terminateTasksOn(account, node);
  else requeueTasksOn(account, node);
  wipe(account, node);
  node.pool.nodes.delete(node.id);
}

/** Removes what is leaving and done; called after every change. */
export function settlePools(account: Account): void {
  for (const pool of account.pools.values())
    for (const node of pool.nodes.values())
      if (node.state === "leavingpool" && node.running.size === 0)
        removeNode(account, node, "requeue");
}

/** Marks a pool as deleting: its tasks go back to the queue, it is gone after the delay. */
export function deletePool(account: Account, pool: Pool): void {
  if (pool.state === "deleting")
    throw conflict(
      "PoolBeingDeleted",
      "The specified pool has been marked for deletion and is being reclaimed.",
    );
  account.enter(pool, "deleting");
  enterAllocation(account, pool, "resizing");
  for (const node of pool.nodes.values()) {
    requeueTasksOn(account, node);
    account.enterNode(node, "leavingpool");
  }
  account.clock.after(account.delays.deletePool, () => {
    for (const node of pool.nodes.values()) wipe(account, node);
    account.pools.delete(pool.id.toLowerCase());
    account.changed();
  });
}

/** Evaluates a pool's formula now and again after each interval while it stays autoscaled. */
export function scheduleAutoScale(account: Account, pool: Pool): void {
  const formula = pool.spec.autoScaleFormula;
  if (pool.spec.enableAutoScale !== true || pool.state !== "active" || formula === undefined)
    return;
  const run = evaluate(account, pool, formula);
  pool.autoScaleRun = run.wire;
  const { result } = run;
  if (result !== undefined && pool.allocationState === "steady") {
    const { dedicated, lowPriority, deallocation } = result;
    if (dedicated !== targetOf(pool, true) || lowPriority !== targetOf(pool, false))
      resize(account, pool, dedicated, lowPriority, deallocation);
  } else if (result !== undefined) {
    pool.spec.targetDedicatedNodes = result.dedicated;
    pool.spec.targetLowPriorityNodes = result.lowPriority;
  }
  const interval = durationMs(pool.spec.autoScaleEvaluationInterval ?? "PT15M");
  account.clock.after(interval, () => {
    if (pool.spec.autoScaleFormula === formula) scheduleAutoScale(account, pool);
  });
}

/** Runs a formula over the state of a pool, without effect. */
export function evaluate(
  account: Account,
  pool: Pool,
  formula: string,
): { result: FormulaResult | undefined; wire: NonNullable<Pool["autoScaleRun"]> } {
  const timestamp = account.clock.stamp();
  const tasks = [...account.jobs.values()]
    .filter((job) => job.poolId === pool.id && job.state === "active")
    .flatMap((job) => [...job.tasks.values()]);
  const count = (state: string): number => tasks.filter((task) => task.state === state).length;
  const old = {
    dedicated: targetOf(pool, true),
    lowPriority: targetOf(pool, false),
    deallocation: pool.deallocation,
  };
  try {
    const result = evaluateFormula(formula, {
      nowMs: account.clock.now(),
      ageMs: account.clock.now() - Date.parse(pool.creationTime),
      activeTasks: count("active"),
      runningTasks: count("running") + count("preparing"),
      currentDedicated: nodesOf(pool, true).length,
      currentLowPriority: nodesOf(pool, false).length,
      preempted: [...pool.nodes.values()].filter(({ state }) => state === "preempted").length,
      slotsPerNode: pool.spec.taskSlotsPerNode ?? 1,
      ...old,
    });
    return { result, wire: { timestamp, results: resultsOf(result) } };
  } catch (error) {
    const failure = {
      code: "AutoScalingFormulaEvaluationError",
      message: "The specified auto-scaling formula has evaluation error",
      values: [{ name: "Message", value: error instanceof Error ? error.message : String(error) }],
    };
    return { result: undefined, wire: { timestamp, results: resultsOf(old), error: failure } };
  }
}

/** What is wrong with the formula of a pool that is to be made; `undefined` if nothing is. */
export function formulaErrorOf(
  account: Account,
  spec: { readonly enableAutoScale?: boolean; readonly autoScaleFormula?: string },
): string | undefined {
  if (spec.enableAutoScale !== true || spec.autoScaleFormula === undefined) return undefined;
  const nothing = { dedicated: 0, lowPriority: 0, deallocation: "requeue" as const };
  try {
    evaluateFormula(spec.autoScaleFormula, {
      ...nothing,
      nowMs: account.clock.now(),
      ageMs: 0,
      activeTasks: 0,
      runningTasks: 0,
      currentDedicated: 0,
      currentLowPriority: 0,
      preempted: 0,
      slotsPerNode: 1,
    });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const resultsOf = ({ dedicated, lowPriority, deallocation }: FormulaResult): string =>
  `$TargetDedicatedNodes=${dedicated};$TargetLowPriorityNodes=${lowPriority};$NodeDeallocationOption=${deallocation}`;
