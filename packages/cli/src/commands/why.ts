// `flow why SEL|FILE…`: why a task would run, or where a file comes from. Writes nothing.

import { relative, resolve } from "node:path";
import {
  describeParams,
  describeReason,
  formatDuration,
  type OpenedPlan,
  openInspector,
  openState,
  type ProjectState,
  type Task,
} from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import type { Io } from "../io.ts";
import { openProject } from "../project.ts";
import { type FileOrigin, fileOrigin } from "../record/file-origin.ts";
import { type TaskRecord, taskStates } from "../record/task-states.ts";
import { waitsOf } from "../record/waits.ts";
import { type Paint, paintFor } from "../report/color.ts";
import { describeOutcome } from "../report/run-view.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { STATE_SIGNS } from "../report/state-signs.ts";
import { ago } from "../report/when.ts";
import { openSelection } from "../selection.ts";

/** A task with what is on record of it. */
interface TaskAnswer {
  readonly record: TaskRecord;
  readonly traces: ProjectState["traces"];
  /** Why it has not started in runs under way. */
  readonly waits: readonly string[];
}

export const command: Command = async (invocation, io) => {
  const project = await openProject(invocation, io, []);
  if (!project.ok) return project.error;
  const { root, tasks } = project.value.graph.project;
  const state = openState(root);
  const files: FileOrigin[] = [];
  const selectors: string[] = [];
  for (const word of invocation.positionals) {
    const path = relative(root, resolve(io.cwd, invocation.value("dir") ?? ".", word));
    const isTask = tasks.some(({ id, template }) => id === word || template === word);
    const origin = isTask ? undefined : fileOrigin(path, tasks, state.traces);
    if (origin === undefined) selectors.push(word);
    else files.push(origin);
  }
  let answers: readonly TaskAnswer[] = [];
  if (selectors.length > 0) {
    const opened = await openSelection(invocation, io, selectors);
    if (!opened.ok) return opened.error;
    answers = await askAbout(opened.value, state, io);
  }
  const paint = paintFor(io.stdout, invocation.value("color"), io.env);
  const text = invocation.has("json")
    ? JSON.stringify([...files, ...answers.map(answerJson)], null, 2)
    : [...files.map((one) => fileText(one, paint)), ...answers.map((one) => taskText(one, paint))]
        .map((lines) => lines.join("\n"))
        .join("\n\n");
  io.stdout.write(`${text}\n`);
  return EXIT.ok;
};

async function askAbout(
  { plan, asked, secretValues }: OpenedPlan & { readonly asked: readonly Task[] },
  state: ProjectState,
  io: Io,
): Promise<readonly TaskAnswer[]> {
  const env = { ...io.env, ...secretValues };
  const { tasks, runs } = await taskStates(plan, openInspector(plan, state, { env }), env);
  const wanted = new Set(asked);
  return tasks
    .filter(({ task }) => wanted.has(task))
    .map((record) => ({
      record,
      traces: state.traces,
      waits: waitsOf(record.task, plan, runs),
    }));
}

function taskText({ record, traces, waits }: TaskAnswer, paint: Paint): readonly string[] {
  const { task, state, prospect, attempt, run } = record;
  const { word, style } = STATE_SIGNS[state];
  const lines = [`${paint("strong", sanitizeLine(task.id))}  ${paint(style, word)}`];
  const add = (label: string, text: string): void => {
    lines.push(`  ${paint("dim", label.padEnd(9))} ${sanitizeLine(text)}`);
  };
  for (const reason of prospect.reasons) add("because", describeReason(reason));
  for (const { message } of prospect.problems) add("problem", message);
  if (state === "skipped") add("because", `not ${task.when?.expression ?? ""}`);
  for (const path of prospect.modifiedTargets) {
    add("note", `${path} was edited by hand and is kept; flow accept ${task.id} takes it as it is`);
  }
  for (const path of prospect.usedUp) {
    add("note", `${path} was removed after its last use; it is made again when a task needs it`);
  }
  for (const wait of waits) add("waits", wait);
  if (run !== undefined) add("run", run);
  const trace = traces.get(task.key);
  if (trace !== undefined) {
    for (const param of describeParams(trace.params, task.params)) add("param", param);
    const took = formatDuration(trace.durationMs);
    add("success", `${ago(trace.endedAt)}, took ${took}, run ${trace.run}`);
  }
  const outcome = attempt?.result?.outcome;
  if (attempt?.result !== undefined && outcome !== undefined && outcome.type !== "success") {
    add("last", `${describeOutcome(outcome)}, ${ago(attempt.result.wall)}`);
  }
  return lines;
}

function fileText(origin: FileOrigin, paint: Paint): readonly string[] {
  const lines = [paint("strong", sanitizeLine(origin.path))];
  const add = (label: string, text: string): void => {
    lines.push(`  ${paint("dim", label.padEnd(9))} ${sanitizeLine(text)}`);
  };
  if (origin.madeBy === undefined) add("made by", "nobody: it is a source");
  else add("made by", origin.madeBy);
  const { made } = origin;
  if (made !== undefined) {
    for (const command of made.commands) add("command", command);
    for (const [name, value] of Object.entries(made.params)) add("param", `${name} = ${value}`);
    for (const input of made.inputs) add("input", `${input.path}  ${input.digest.slice(0, 12)}`);
    add("run", `${made.run}, ${ago(made.endedAt)}, took ${formatDuration(made.durationMs)}`);
  } else if (origin.madeBy !== undefined) {
    add("run", "none: the task never succeeded");
  }
  for (const task of origin.neededBy) add("needed by", task);
  return lines;
}

function answerJson({ record, traces, waits }: TaskAnswer): object {
  const { task, state, prospect, attempt, run } = record;
  const trace = traces.get(task.key);
  return {
    task: task.id,
    state,
    run,
    waits,
    reasons: prospect.reasons.map((reason) => ({ ...reason, text: describeReason(reason) })),
    problems: prospect.problems,
    modifiedTargets: prospect.modifiedTargets,
    usedUp: prospect.usedUp,
    lastSuccess: trace && {
      run: trace.run,
      endedAt: trace.endedAt,
      durationMs: trace.durationMs,
      params: trace.params,
    },
    lastAttempt: attempt && { serial: attempt.serial, outcome: attempt.result?.outcome },
  };
}
