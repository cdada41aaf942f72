// Why a task of a run under way has not started yet.

import { neighbours, type OpenedPlan, type Task } from "@flow/core";
import type { RunView, TaskStatus } from "../report/run-view.ts";
import type { RecordedRun } from "./runs.ts";

const OVER: ReadonlySet<TaskStatus> = new Set(["fresh", "done", "allowed", "skipped", "pruned"]);

const MOST_NAMED = 5;

/** One sentence part per run in whose plan the task waits. */
export function waitsOf(
  task: Task,
  plan: OpenedPlan["plan"],
  runs: readonly RecordedRun[],
): readonly string[] {
  return runs.flatMap(({ run, view }) => {
    const isPlanned = view.templates.some(({ name }) => name === task.template);
    if (!isPlanned || view.status(task.id) !== "waiting") return [];
    return [`in run ${run} for ${reason(task, plan, view)}`];
  });
}

function reason(task: Task, plan: OpenedPlan["plan"], view: RunView): string {
  const told = view.waits.get(task.id);
  if (told !== undefined) return told;
  const before = [...neighbours(plan.dependencies, plan.tasks.indexOf(task))].flatMap((index) => {
    const id = plan.tasks[index]?.id;
    return id === undefined || OVER.has(view.status(id)) ? [] : [`${id} (${view.status(id)})`];
  });
  if (before.length === 0) return "its turn";
  const more = before.length - MOST_NAMED;
  const names = before.slice(0, MOST_NAMED).join(", ");
  return more > 0 ? `${names} and ${more} more` : names;
}
