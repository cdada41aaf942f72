// What a run would do, as a report: every task with its verdict, the time it takes, the chain that
// decides it.

import {
  criticalPath,
  describeReason,
  guessDurations,
  makespan,
  type Plan,
  type ProjectState,
  type Prospect,
  type Task,
  type Work,
} from "@flow/core";
import { wasPruned } from "../record/task-states.ts";

export interface PlannedTask {
  readonly task: Task;
  /** `skipped`: its `when` does not hold. `pruned`: a trial that was ended early. */
  readonly verdict: Prospect["verdict"] | "skipped" | "pruned";
  /** In words: why it would run, or cannot. */
  readonly reasons: readonly string[];
  /** Milliseconds it took last time; undefined when it never succeeded. */
  readonly durationMs: number | undefined;
}

export interface PlanReport {
  /** In an order in which they could run. */
  readonly tasks: readonly PlannedTask[];
  /** Milliseconds for what runs for certain, and with what may run; undefined without any history. */
  readonly estimateMs: readonly [number, number] | undefined;
  /** Names of the tasks that decide how long it takes. */
  readonly criticalPath: readonly string[];
  /** Of what runs for certain; 0 when no task asks for a GPU, undefined without history. */
  readonly gpuHours: number | undefined;
}

/** `places`: tasks at once. `isLeftOut`: its `when` does not hold now. */
export function planReport(
  plan: Plan,
  prospects: readonly Prospect[],
  { traces }: Pick<ProjectState, "traces">,
  places: number,
  isLeftOut: (task: Task) => boolean,
): PlanReport {
  const tasks = plan.tasks.map((task, index) =>
    planned(
      task,
      prospects[index],
      isLeftOut(task),
      traces.durationMs(task.key),
      plan.project.root,
    ),
  );
  const hasHistory = tasks.some(({ durationMs }) => durationMs !== undefined);
  const guessed = guessDurations(
    tasks.map(({ task, durationMs }) => ({ template: task.template, durationMs })),
  );
  const certain = workOf(plan, tasks, guessed, ["stale"]);
  const possible = workOf(plan, tasks, guessed, ["stale", "pending"]);
  const gpuMs = tasks.reduce((sum, { task }, index) => {
    return sum + ((task.resources.gpusMilli ?? 0) / 1000) * (certain.durationsMs[index] ?? 0);
  }, 0);
  return {
    tasks,
    estimateMs: hasHistory ? [makespan(certain, places), makespan(possible, places)] : undefined,
    criticalPath: criticalPath(possible).flatMap((index) => plan.tasks[index]?.id ?? []),
    gpuHours: gpuMs === 0 ? 0 : hasHistory ? gpuMs / 3_600_000 : undefined,
  };
}

function planned(
  task: Task,
  prospect: Prospect | undefined,
  isLeftOut: boolean,
  durationMs: number | undefined,
  root: string,
): PlannedTask {
  if (isLeftOut) {
    const condition = task.when?.expression ?? "";
    return { task, verdict: "skipped", reasons: [`not ${condition}`], durationMs };
  }
  if (prospect !== undefined && wasPruned(task, prospect, root)) {
    return { task, verdict: "pruned", reasons: [], durationMs };
  }
  const { verdict, reasons, problems } = prospect ?? {
    verdict: "fresh",
    reasons: [],
    problems: [],
  };
  const words = [...reasons.map(describeReason), ...problems.map(({ message }) => message)];
  return { task, verdict, reasons: words, durationMs };
}

function workOf(
  { dependencies }: Plan,
  tasks: readonly PlannedTask[],
  guessed: Float64Array,
  verdicts: readonly PlannedTask["verdict"][],
): Work {
  const durationsMs = Float64Array.from(tasks, ({ task, verdict }, index) =>
    verdicts.includes(verdict) && task.actions.length > 0 ? (guessed[index] ?? 0) : 0,
  );
  return { durationsMs, dependencies };
}
