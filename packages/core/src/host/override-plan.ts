// A plan with what the command line says for tasks that say nothing themselves.

import { complete, type Plan, type PlanOptions } from "../graph/plan.ts";

export interface PlanOverrides {
  /** Retries for tasks that have none. */
  readonly retries: number | undefined;
  /** Milliseconds, for tasks without a time limit. */
  readonly timeoutMs: number | undefined;
}

export function overridePlan(plan: Plan, overrides: PlanOverrides, options: PlanOptions): Plan {
  const { retries, timeoutMs } = overrides;
  if (retries === undefined && timeoutMs === undefined) return plan;
  const tasks = plan.tasks.map((task) => ({
    ...task,
    timeoutMs: task.timeoutMs ?? timeoutMs,
    retries:
      task.retries.max > 0 ? task.retries : { ...task.retries, max: retries ?? task.retries.max },
  }));
  return complete({ ...plan, tasks }, options);
}
