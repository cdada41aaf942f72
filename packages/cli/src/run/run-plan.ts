// Opens plan, state and backends, runs, shows, and leaves a note when nothing was to do.

import { openSync, writeSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import {
  runId as asRunId,
  evaluateCondition,
  type Log,
  leaveEvidence,
  type OpenedPlan,
  openPlan,
  openState,
  overridePlan,
  type PlanRequest,
  type ProjectState,
  parseDuration,
  positionIn,
  prepareRun,
  type RunEvent,
  type RunId,
  type RunListener,
  type RunResult,
  requestText,
  type Task,
} from "@flow/core";
import { flowTaskPath } from "@flow/task-py";
import { closeBackends, openBackends } from "../backends.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { printDiagnostics } from "../project.ts";
import { openReporter, outputMode } from "../report/reporter.ts";
import { VERSION } from "../version.ts";
import { DETACHED_RUN, detach } from "./detach.ts";
import { failedTasks } from "./failed-tasks.ts";
import { projectArguments } from "./request.ts";
import { handleSignals } from "./signals.ts";

/** Numbers given on the command line. */
interface RunNumbers {
  readonly jobs: number | undefined;
  readonly retries: number | undefined;
  readonly timeoutMs: number | undefined;
}

/** Runs what `request` asks for; prints everything itself. `root`: where cached plans lie. */
export async function runPlan(
  invocation: Invocation,
  io: Io,
  request: PlanRequest,
  root: string | undefined,
): Promise<ExitCode> {
  const numbers = readNumbers(invocation);
  if ("problem" in numbers) {
    io.stderr.write(`flow: ${numbers.problem}\n`);
    return EXIT.usage;
  }
  const asked = invocation.has("failed") ? await failedTasks(request) : request;
  if (asked === undefined) {
    io.stderr.write("= nothing to do: no task has failed or was stopped\n");
    return EXIT.ok;
  }
  const opened = await openPlan(asked, root);
  if (!opened.ok) {
    printDiagnostics(opened.error, invocation, io);
    return EXIT.usage;
  }
  for (const warning of opened.value.warnings) io.stderr.write(`${warning}\n`);
  if (invocation.has("dry-run")) {
    const { showPlan } = await import("../commands/plan.ts");
    return showPlan(opened.value, invocation, io);
  }
  if (invocation.has("detach")) {
    return detach(opened.value.plan.project.root, io);
  }
  return execute(opened.value, asked, numbers, invocation, io);
}

async function execute(
  opened: OpenedPlan,
  request: PlanRequest,
  numbers: RunNumbers,
  invocation: Invocation,
  io: Io,
): Promise<ExitCode> {
  const state = openState(opened.plan.project.root);
  warnOfDamage(state, io);
  const durationMs = (task: Task["key"]): number | undefined => state.traces.durationMs(task);
  const options = { ...request.options, durationMs };
  const plan = overridePlan(opened.plan, numbers, options);
  const { project } = plan;
  const env = { ...io.env, ...opened.secretValues };
  const backends = await openBackends(plan.backends, project, logTo(io, invocation), env);
  if (!backends.ok) {
    io.stderr.write(`flow: ${backends.error}\n`);
    return EXIT.outside;
  }
  const reporter = openReporter(
    {
      mode: outputMode(invocation.value("output"), invocation.has("quiet"), io),
      verbose: invocation.has("verbose"),
      color: invocation.value("color"),
      secrets: project.secrets,
      projectArguments: projectArguments(invocation),
    },
    { ...io, env },
  );
  const asked = new Set(plan.asked.map((index) => plan.tasks[index]?.key));
  const forced = invocation.has("force");
  const { run, inspector } = prepareRun(plan, state, {
    run: runId(io),
    env,
    isForced: (task) => forced && asked.has(task.key),
    rebuildModified: invocation.has("rebuild-modified"),
    strict: invocation.has("strict"),
    backends: backends.value,
    helperFolder: dirname(flowTaskPath),
    slots: numbers.jobs ?? project.jobs,
    keepGoing: invocation.has("keep-going"),
    failFast: invocation.has("fail-fast"),
    version: VERSION,
    file: relative(project.root, project.file),
    evaluate: evaluateCondition(plan, env),
    position: (task, action) => positionIn(plan, task.actions[action ?? -1]?.span ?? task.span),
    listeners: listeners(reporter.event, invocation.value("report-json"), io),
  });
  const release = handleSignals(run, io);
  let result: RunResult;
  try {
    result = await run.execute();
  } finally {
    release();
    reporter.close();
    await closeBackends(backends.value);
  }
  if (result.recorded) opened.keep();
  if (result.counts.fresh === result.counts.total && !invocation.has("force")) {
    const fresh = { plan, inputs: opened.inputs, inspector, state, env };
    leaveEvidence({
      ...fresh,
      request: requestText(request),
      summary: { tasks: plan.tasks.length },
    });
  }
  return result.exitCode as ExitCode;
}

/** The run a `--detach` has announced; undefined: a new one. */
function runId(io: Io): RunId | undefined {
  const announced = io.env[DETACHED_RUN];
  return announced === undefined ? undefined : asRunId(announced);
}

function readNumbers(invocation: Invocation): RunNumbers | { readonly problem: string } {
  const jobs = invocation.value("jobs");
  const retries = invocation.value("retries");
  const timeout = invocation.value("timeout");
  if (jobs !== undefined && !/^[1-9]\d*$/.test(jobs)) {
    return { problem: `-n takes a whole number above 0, not \`${jobs}\`` };
  }
  if (retries !== undefined && !/^\d+$/.test(retries)) {
    return { problem: `--retries takes a whole number, not \`${retries}\`` };
  }
  const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout);
  if (timeout !== undefined && timeoutMs === undefined) {
    return { problem: `--timeout takes a duration such as \`90s\` or \`2h\`, not \`${timeout}\`` };
  }
  return {
    jobs: jobs === undefined ? undefined : Number(jobs),
    retries: retries === undefined ? undefined : Number(retries),
    timeoutMs,
  };
}

/** The reporter, and a file of JSON lines when one was asked for. */
function listeners(
  show: (event: RunEvent) => void,
  reportFile: string | undefined,
  io: Io,
): readonly RunListener[] {
  if (reportFile === undefined) return [show];
  const descriptor = openSync(resolve(io.cwd, reportFile), "w");
  return [show, (event) => void writeSync(descriptor, `${JSON.stringify({ v: 1, ...event })}\n`)];
}

function warnOfDamage({ damaged, traces }: ProjectState, io: Io): void {
  for (const { path, bytes } of damaged) {
    io.stderr.write(
      `flow: ${bytes} bytes of ${path} are damaged and were left out; what they recorded runs again\n`,
    );
  }
  if (traces.damaged > 0) {
    io.stderr.write(
      `flow: ${traces.damaged} records of past successes are damaged; those tasks run again\n`,
    );
  }
}

function logTo(io: Io, invocation: Invocation): Log {
  const say = (message: string): void => void io.stderr.write(`flow: ${message}\n`);
  return { debug: () => {}, info: invocation.has("verbose") ? say : () => {}, warn: say };
}
