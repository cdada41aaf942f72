// What state every task of a plan is in: what its record says, whether a run is at it, and what the
// next run would do with it.

import {
  type ConditionVerdict,
  currentClaims,
  evaluateCondition,
  forecast,
  type Inspector,
  lastAttempt,
  layout,
  nodeFileSystem,
  type Plan,
  type Prospect,
  type RunId,
  type StoredAttempt,
  type Task,
} from "@flow/core";
import type { TaskStatus } from "../report/run-view.ts";
import { liveRuns, type RecordedRun } from "./runs.ts";

/** In the order in which a person wants to know of it. */
export const STATES = [
  "failed",
  "unknown",
  "running",
  "again",
  "queued",
  "held",
  "left",
  "cancelled",
  "pruned",
  "impossible",
  "stale",
  "pending",
  "skipped",
  "fresh",
] as const;

/**
 * `left`: an attempt of a run that died, not looked after; the next run takes it up. `stale`,
 * `pending`, `impossible` as in {@link Prospect}.
 */
export type TaskState = (typeof STATES)[number];

export interface TaskRecord {
  readonly task: Task;
  readonly state: TaskState;
  readonly prospect: Prospect;
  /** The latest attempt; not looked up for tasks that are fresh. */
  readonly attempt: StoredAttempt | undefined;
  /** The run that is or was at it, when there is a claim on it. */
  readonly run: RunId | undefined;
}

export interface ProjectStates {
  /** In plan order. */
  readonly tasks: readonly TaskRecord[];
  readonly runs: readonly RecordedRun[];
}

/** Looks at everything; never writes. */
export async function taskStates(
  plan: Plan,
  inspector: Inspector,
  env: Readonly<Record<string, string | undefined>>,
): Promise<ProjectStates> {
  const { root } = plan.project;
  const evaluate = evaluateCondition(plan, env);
  const prospects = await forecast(plan, inspector, (task) => isLeftOut(task, evaluate));
  const claims = currentClaims(root);
  const claimed = new Map(claims.all().map(({ task, run }) => [task, run]));
  const runs = liveRuns(root);
  const views = new Map(runs.map(({ run, view }) => [run, view]));
  const tasks = plan.tasks.map((task, index): TaskRecord => {
    const prospect = prospects[index] ?? FRESH;
    const run = claimed.get(task.key);
    const isFresh = prospect.verdict === "fresh" && run === undefined;
    const attempt = isFresh ? undefined : lastAttempt(layout(root), task.key, nodeFileSystem);
    const held = run === undefined ? undefined : views.get(run)?.status(task.id);
    const state = isLeftOut(task, evaluate)
      ? "skipped"
      : run === undefined || attempt?.result !== undefined
        ? settledState(prospect, attempt)
        : runningState(held);
    return { task, state, prospect, attempt, run };
  });
  return { tasks, runs };
}

const FRESH: Prospect = {
  verdict: "fresh",
  reasons: [],
  problems: [],
  modifiedTargets: [],
  usedUp: [],
};

/** Of a claimed task by what its run says; without a living run the attempt was left. */
function runningState(status: TaskStatus | undefined): TaskState {
  switch (status) {
    case undefined:
      return "left";
    case "queued":
    case "again":
    case "held":
    case "unknown":
      return status;
    default:
      return "running";
  }
}

function settledState({ verdict }: Prospect, attempt: StoredAttempt | undefined): TaskState {
  if (verdict !== "stale") return verdict;
  switch (attempt?.result?.outcome.type) {
    case "failed":
    case "oom":
      return "failed";
    case "pruned":
      return "pruned";
    case "cancelled":
    case "interrupted":
    case "requeue":
      return "cancelled";
    default:
      return "stale";
  }
}

function isLeftOut(
  task: Task,
  evaluate: (condition: NonNullable<Task["when"]>, task: Task) => ConditionVerdict,
): boolean {
  if (task.when === undefined) return false;
  const verdict = evaluate(task.when, task);
  return "holds" in verdict && !verdict.holds;
}

/** A trial of a sweep that was ended early, and has not changed since as far as can be told. */
export function wasPruned(
  { key, pruning }: Task,
  { verdict, reasons }: Prospect,
  root: string,
): boolean {
  if (pruning === undefined || verdict !== "stale") return false;
  if (!reasons.every(({ component }) => component === "never-succeeded")) return false;
  return lastAttempt(layout(root), key, nodeFileSystem)?.result?.outcome.type === "pruned";
}
