// `flow status [SEL…]`: the runs under way, and the state of every task. Writes nothing.

import { describeReason, formatDuration, openInspector, openState, type Task } from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import type { RecordedRun } from "../record/runs.ts";
import { type TaskRecord, taskStates } from "../record/task-states.ts";
import { type Paint, paintFor } from "../report/color.ts";
import { timeLeft } from "../report/eta.ts";
import { describeOutcome } from "../report/run-view.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { groupState } from "../report/state-signs.ts";
import { type Cell, table } from "../report/table.ts";
import { openSelection } from "../selection.ts";

export const command: Command = async (invocation, io) => {
  const opened = await openSelection(invocation, io);
  if (!opened.ok) return opened.error;
  const { plan, secretValues } = opened.value;
  const env = { ...io.env, ...secretValues };
  const state = openState(plan.project.root);
  const { tasks, runs } = await taskStates(plan, openInspector(plan, state, { env }), env);
  if (invocation.has("json")) {
    const report = { runs: runs.map(runJson), tasks: tasks.map(taskJson) };
    io.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
    return EXIT.ok;
  }
  const paint = paintFor(io.stdout, invocation.value("color"), io.env);
  for (const run of runs) io.stdout.write(`${runLine(run)}\n`);
  const groups = invocation.has("expand") ? tasks.map((one) => [one]) : byTemplate(tasks);
  const rows = groups.map((group) => cells(group, paint));
  io.stdout.write(table(rows, io.stdout.columns));
  for (const problem of new Set(tasks.flatMap(({ prospect }) => prospect.problems))) {
    io.stderr.write(`flow: ${sanitizeLine(problem.message)}\n`);
  }
  return EXIT.ok;
};

/** `run 20261121-101530-k3f9  44/87  12m41s  1 failed  about 24m to 45m left  pid 4312 on gpubox` */
export function runLine({ run, view, process }: RecordedRun): string {
  const elapsed = process === undefined ? view.elapsedMs : Math.max(0, Date.now() - process.wall);
  const left = timeLeft(view, elapsed);
  const failed = view.count("failed");
  const facts = [
    `run ${run}`,
    `${view.settled}/${view.total}`,
    formatDuration(elapsed),
    `${view.count("running")} running`,
    failed > 0 ? `${failed} failed` : "",
    left === undefined ? "" : `${formatDuration(left[0])} to ${formatDuration(left[1])} left`,
    process === undefined ? "" : `pid ${process.pid} on ${sanitizeLine(process.host)}`,
  ];
  return facts.filter((fact) => fact !== "").join("  ");
}

function byTemplate(tasks: readonly TaskRecord[]): readonly (readonly TaskRecord[])[] {
  const groups = new Map<string, TaskRecord[]>();
  for (const one of tasks) {
    const group = groups.get(one.task.template);
    if (group === undefined) groups.set(one.task.template, [one]);
    else group.push(one);
  }
  return [...groups.values()];
}

function cells(group: readonly TaskRecord[], paint: Paint): readonly Cell[] {
  const [first] = group;
  if (first === undefined) return [];
  const isOne = group.length === 1;
  const { main, style, text } = groupState(group.map(({ state }) => state));
  const told = group.find(({ state }) => state === main) ?? first;
  return [
    { text: sanitizeLine(isOne ? first.task.id : first.task.template) },
    { text: isOne ? "" : `×${group.length}` },
    { text, paint: (words) => paint(style, words) },
    { text: sanitizeLine(note(told)), paint: (text) => paint("dim", text) },
  ];
}

/** Why the task is in its state, in a few words. */
function note({ state, prospect, attempt, run, task }: TaskRecord): string {
  const outcome = attempt?.result?.outcome;
  if (state === "failed" && outcome !== undefined) return describeOutcome(outcome);
  if (state === "left") return `by run ${run ?? "?"}, which died; the next run takes it up`;
  if (state === "running" || state === "queued" || state === "held") return `run ${run ?? "?"}`;
  if (state === "skipped") return `not ${task.when?.expression ?? ""}`;
  const [reason, ...more] = prospect.reasons;
  if (state === "stale" && reason !== undefined) {
    return describeReason(reason) + (more.length > 0 ? ` and ${more.length} more` : "");
  }
  if (prospect.modifiedTargets.length > 0) {
    return `${prospect.modifiedTargets.join(", ")} edited by hand, kept`;
  }
  return prospect.usedUp.length > 0 ? `${prospect.usedUp.join(", ")} removed after use` : "";
}

const runJson = ({ run, view, process, flow }: RecordedRun): object => ({
  run,
  flow,
  ...process,
  file: view.started?.file,
  total: view.total,
  settled: view.settled,
  running: view.active.filter(({ status }) => status === "running").map(({ task }) => task),
  counts: view.counts,
});

const taskJson = ({ task, state, prospect, attempt, run }: TaskRecord): object => ({
  ...nameOf(task),
  state,
  run,
  reasons: prospect.reasons.map(describeReason),
  problems: prospect.problems.map(({ message }) => message),
  modifiedTargets: prospect.modifiedTargets,
  usedUp: prospect.usedUp,
  lastAttempt: attempt && {
    serial: attempt.serial,
    run: attempt.record?.run,
    outcome: attempt.result?.outcome,
    durationMs: attempt.result?.durationMs,
  },
});

const nameOf = ({ id, template, axes }: Task): object => ({ task: id, template, axes });
