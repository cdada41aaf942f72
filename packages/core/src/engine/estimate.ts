// How long a run may take, before anything is known but the past.

import { availableParallelism } from "node:os";
import type { Plan } from "../graph/plan.ts";
import { guessDurations } from "../graph/rank.ts";
import type { Limits } from "../model/resources.ts";
import type { Task } from "../model/task.ts";
import type { TraceStore } from "../trace/store.ts";
import { makespan } from "./makespan.ts";

/**
 * Milliseconds if only what must run does, and if everything does; each at least its longest chain
 * and what the pools allow. Undefined when nothing of the plan has ever succeeded.
 */
export function estimateRun(
  { tasks, dependencies }: Plan,
  traces: Pick<TraceStore, "durationMs">,
  limits: Limits,
): readonly [number, number] | undefined {
  const known = tasks.map(({ template, key }) => ({
    template,
    durationMs: traces.durationMs(key),
  }));
  if (known.every(({ durationMs }) => durationMs === undefined)) return undefined;
  const guessed = guessDurations(known);
  const durations = (runs: (task: Task, index: number) => boolean): Float64Array =>
    Float64Array.from(tasks, (task, index) =>
      task.actions.length > 0 && runs(task, index) ? (guessed[index] ?? 0) : 0,
    );
  const places =
    limits.slots ?? Math.ceil((limits.cpusMilli ?? availableParallelism() * 1000) / 1000);
  const time = (durationsMs: Float64Array): number =>
    Math.max(makespan({ durationsMs, dependencies }, places), poolTime(tasks, durationsMs, limits));
  const certain = durations(
    ({ always }, index) => always || known[index]?.durationMs === undefined,
  );
  return [Math.round(time(certain)), Math.round(time(durations(() => true)))];
}

/** Time that the scarcest pool takes for what goes through it. */
function poolTime(tasks: readonly Task[], durationsMs: Float64Array, { pools }: Limits): number {
  const work: Record<string, number> = {};
  for (const [index, task] of tasks.entries()) {
    for (const [pool, amount] of Object.entries(task.pools)) {
      work[pool] = (work[pool] ?? 0) + amount * (durationsMs[index] ?? 0);
    }
  }
  const times = Object.entries(work).map(([pool, sum]) => sum / (pools[pool] || sum || 1));
  return Math.max(0, ...times);
}
