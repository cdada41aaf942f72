// `flow plan`: what a run would do, why, in which order and for how long. Writes nothing.

import { availableParallelism } from "node:os";
import {
  evaluateCondition,
  forecast,
  formatDuration,
  type OpenedPlan,
  openInspector,
  openPlan,
  openState,
  type Task,
  type TaskId,
} from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Command, Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { type PlannedTask, type PlanReport, planReport } from "../plan/forecast-report.ts";
import { showRequests } from "../plan/requests.ts";
import { printDiagnostics } from "../project.ts";
import { type TaskState, taskStates } from "../record/task-states.ts";
import { type Paint, paintFor } from "../report/color.ts";
import { NOTHING_FAILED, nothingToDo } from "../report/nothing-to-do.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { STATE_SIGNS } from "../report/state-signs.ts";
import { tasks as counted } from "../report/summary.ts";
import { type Cell, table } from "../report/table.ts";
import { failedTasks } from "../run/failed-tasks.ts";
import { cacheRoot, planRequestOf } from "../run/request.ts";

export const command: Command = async (invocation, io) => {
  const asked = planRequestOf(invocation, io);
  if ("problem" in asked) {
    io.stderr.write(`flow: ${asked.problem}\n`);
    return EXIT.usage;
  }
  const request = invocation.has("failed") ? await failedTasks(asked.request) : asked.request;
  if (request === undefined) {
    io.stderr.write(`${NOTHING_FAILED}\n`);
    return EXIT.ok;
  }
  const opened = await openPlan(request, cacheRoot(request));
  if (!opened.ok) {
    printDiagnostics(opened.error, invocation, io);
    return EXIT.usage;
  }
  for (const warning of opened.value.warnings) io.stderr.write(`${warning}\n`);
  return showPlan(opened.value, invocation, io);
};

/** Also what `flow run --dry-run` shows. */
export async function showPlan(
  { plan, secretValues }: OpenedPlan,
  invocation: Invocation,
  io: Io,
): Promise<ExitCode> {
  const jobs = invocation.value("jobs");
  if (jobs !== undefined && !/^[1-9]\d*$/.test(jobs)) {
    io.stderr.write(`flow: -n takes a whole number above 0, not \`${jobs}\`\n`);
    return EXIT.usage;
  }
  const env = { ...io.env, ...secretValues };
  const state = openState(plan.project.root);
  const asked = new Set(plan.asked.map((index) => plan.tasks[index]?.key));
  const inspector = openInspector(plan, state, {
    env,
    isForced: (task) => invocation.has("force") && asked.has(task.key),
    rebuildModified: invocation.has("rebuild-modified"),
    strict: invocation.has("strict"),
  });
  const evaluate = evaluateCondition(plan, env);
  const isLeftOut = (task: Task): boolean => {
    const verdict = task.when === undefined ? { holds: true } : evaluate(task.when, task);
    return "holds" in verdict && !verdict.holds;
  };
  const places = jobs === undefined ? (plan.project.jobs ?? availableParallelism()) : Number(jobs);
  const report = planReport(
    plan,
    await forecast(plan, inspector, isLeftOut),
    state,
    places,
    isLeftOut,
  );
  if (invocation.verb === "plan" && invocation.has("requests"))
    return showRequests(plan, stale(report), invocation.value("backend"), env, io);
  const isJson = invocation.verb === "plan" && invocation.has("json");
  const isDryRun = invocation.verb === "run";
  if (isJson) io.stdout.write(`${JSON.stringify(reportJson(report), null, 2)}\n`);
  else {
    const listed = isDryRun ? combinations(report, plan.project.params) : [];
    const records = listed.length === 0 ? [] : (await taskStates(plan, inspector, env)).tasks;
    printPlan(
      report,
      new Map(records.map(({ task, state }) => [task.id, state])),
      listed,
      invocation,
      io,
    );
  }
  const hasWork = report.tasks.some(
    ({ verdict }) => verdict === "stale" || verdict === "impossible",
  );
  const isCheck = invocation.verb === "plan" && invocation.has("check");
  return isCheck && hasWork ? EXIT.stale : EXIT.ok;
}

const stale = ({ tasks }: PlanReport): readonly Task[] =>
  tasks.filter(({ verdict }) => verdict === "stale").map(({ task }) => task);

/** The combinations of a sweep: its trials, and tasks with parameters in their names. */
const combinations = (
  { tasks }: PlanReport,
  params: Readonly<Record<string, string>>,
): readonly PlannedTask[] =>
  tasks.filter(
    ({ task }) =>
      task.isTrial === true || Object.keys(task.axes).some((axis) => Object.hasOwn(params, axis)),
  );

/** `listed`: shown one by one with their states, also when they are fresh. */
function printPlan(
  report: PlanReport,
  states: ReadonlyMap<TaskId, TaskState>,
  listed: readonly PlannedTask[],
  invocation: Invocation,
  io: Io,
): void {
  const paint = paintFor(io.stdout, invocation.value("color"), io.env);
  const single = new Set(listed);
  const shown = report.tasks.filter((one) => one.verdict !== "fresh" && !single.has(one));
  const rows = [
    ...groups(shown).map((group) => cells(group, undefined, paint)),
    ...listed.map((one) => cells([one], states.get(one.task.id), paint)),
  ];
  io.stdout.write(table(rows, io.stdout.columns));
  io.stdout.write(`${totals(report)}\n`);
  if (report.criticalPath.length > 1 && report.estimateMs !== undefined) {
    const path = report.criticalPath.map(sanitizeLine).join(" → ");
    io.stdout.write(`${paint("dim", "longest chain")}  ${path}\n`);
  }
}

/** `12 of 21 tasks would run, 3 more may; 1m20s to 2m05s; 1.5 GPU hours` */
function totals({ tasks, estimateMs, gpuHours }: PlanReport): string {
  const count = (verdict: PlannedTask["verdict"]): number =>
    tasks.filter((one) => one.verdict === verdict).length;
  const [stale, pending, impossible] = [count("stale"), count("pending"), count("impossible")];
  const ended = count("pruned");
  if (stale + pending + impossible === 0) {
    return `${nothingToDo(tasks.length - ended)}${ended === 0 ? "" : `, ${ended} ended early`}`;
  }
  const facts = [
    `${stale} of ${counted(tasks.length)} would run`,
    pending > 0 ? `${pending} more may` : "",
    impossible > 0 ? `${impossible} cannot` : "",
    count("skipped") > 0 ? `${count("skipped")} left out` : "",
  ];
  const time =
    estimateMs === undefined
      ? "no history to tell how long"
      : estimateMs[0] === estimateMs[1]
        ? `about ${formatDuration(estimateMs[0])}`
        : `${formatDuration(estimateMs[0])} to ${formatDuration(estimateMs[1])}`;
  const gpus = gpuHours === undefined || gpuHours === 0 ? "" : `; ${gpuHours.toFixed(1)} GPU hours`;
  return `${facts.filter((fact) => fact !== "").join(", ")}; ${time}${gpus}`;
}

/** Members of a template with the same verdict and reasons make one line. */
function groups(tasks: readonly PlannedTask[]): readonly (readonly PlannedTask[])[] {
  const found = new Map<string, PlannedTask[]>();
  for (const one of tasks) {
    // What only differs in the members' own names is the same reason.
    const own = one.reasons.map((reason) => withoutAxes(reason, one.task));
    const key = JSON.stringify([one.task.template, one.verdict, own]);
    const group = found.get(key);
    if (group === undefined) found.set(key, [one]);
    else group.push(one);
  }
  return [...found.values()];
}

/** A reason with the member's own axis values replaced, where they stand as whole words. */
function withoutAxes(reason: string, { axes }: Task): string {
  return Object.values(axes).reduce((text, value) => {
    const literal = value.replaceAll(/[^A-Za-z0-9]/g, "\\$&");
    return text.replaceAll(new RegExp(`(?<![\\w.])${literal}(?![\\w.])`, "g"), "…");
  }, reason);
}

/** `state`: what its record says of it; absent where only the verdict counts. */
function cells(
  group: readonly PlannedTask[],
  state: TaskState | undefined,
  paint: Paint,
): readonly Cell[] {
  const [first] = group;
  if (first === undefined) return [];
  const { sign, word, style } = STATE_SIGNS[state ?? first.verdict];
  const label = (state ?? first.verdict) === "stale" ? "run" : word;
  const isOne = group.length === 1;
  const [reason = "", ...more] = first.reasons.map((text) =>
    isOne ? text : withoutAxes(text, first.task),
  );
  const rest = more.length > 0 ? ` and ${more.length} more` : "";
  const isDone = first.verdict === "fresh" || first.verdict === "pruned";
  const time = isDone ? 0 : group.reduce((sum, { durationMs }) => sum + (durationMs ?? 0), 0);
  return [
    { text: `${sign} ${label}`, paint: (text) => paint(style, text) },
    { text: sanitizeLine(isOne ? first.task.id : `${first.task.template} ×${group.length}`) },
    { text: time === 0 ? "" : formatDuration(time), right: true },
    { text: sanitizeLine(reason) + rest, paint: (text) => paint("dim", text) },
  ];
}

const reportJson = ({ tasks, estimateMs, criticalPath, gpuHours }: PlanReport): object => ({
  tasks: tasks.map(({ task, verdict, reasons, durationMs }) => ({
    task: task.id,
    template: task.template,
    verdict,
    reasons,
    durationMs,
    backend: task.backend,
  })),
  estimateMs,
  criticalPath,
  gpuHours,
});
