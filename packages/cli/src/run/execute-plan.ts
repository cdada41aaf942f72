// Opens state and backends, runs a plan, shows it, and leaves a note when nothing was to do.

import { dirname, relative, resolve } from "node:path";
import {
  runId as asRunId,
  type Backend,
  type CodeTree,
  evaluateCondition,
  type Log,
  leaveEvidence,
  type OpenedPlan,
  openState,
  overridePlan,
  type PlanOptions,
  type ProjectState,
  positionIn,
  prepareRun,
  type Run,
  type RunId,
  type RunResult,
  type Task,
} from "@flow/core";
import { flowTaskPath } from "@flow/task-py";
import { closeBackends, openBackends } from "../backends.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import type { Rerun } from "../report/failure-block.ts";
import { type OutputMode, openReporter, type Reporter } from "../report/reporter.ts";
import { VERSION } from "../version.ts";
import { damageNotes } from "./damage-notes.ts";
import { DETACHED_RUN } from "./detach.ts";
import { enclosingTask, waitForItself } from "./enclosing-tasks.ts";
import { handleSignals } from "./signals.ts";

/** How a plan is run, whatever the verb. */
export interface ExecutionSettings {
  readonly slots: number | undefined;
  /** GPUs to use, as `--gpus` names them; absent: all. */
  readonly gpus?: string | undefined;
  /** For tasks that say nothing themselves. */
  readonly retries: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly keepGoing: boolean;
  readonly failFast: boolean;
  /** Run what was asked for even if it is fresh. */
  readonly force: boolean;
  readonly rebuildModified: boolean;
  readonly strict: boolean;
  readonly mode: OutputMode;
  readonly verbose: boolean;
  readonly color: string | undefined;
  /** Also write events to this file, relative to where the person stands. */
  readonly reportFile: string | undefined;
  readonly rerun: Rerun;
  readonly planOptions: PlanOptions;
  /** Runs in a folder of its own, on record in the project it came from; absent: in the project itself. */
  readonly sandbox?: Sandbox | undefined;
  /** What was asked, as one text; absent: no note is left. */
  readonly request: string | undefined;
}

interface Sandbox {
  /** Absolute root of the project that keeps the records. */
  readonly project: string;
  /** The code in it; absent: not recorded. */
  readonly code: CodeTree | undefined;
}

export async function executePlan(
  opened: OpenedPlan,
  settings: ExecutionSettings,
  io: Io,
): Promise<ExitCode> {
  const { sandbox } = settings;
  const state = openStateFor(opened.plan.project.root, sandbox);
  for (const note of damageNotes(state)) io.stderr.write(`flow: ${note}\n`);
  const durationMs: PlanOptions["durationMs"] = (task) => state.traces.durationMs(task);
  const plan = overridePlan(opened.plan, settings, { ...settings.planOptions, durationMs });
  const { project } = plan;
  const circle = waitForItself({ root: project.root, tasks: plan.tasks }, io);
  if (circle !== undefined) {
    io.stderr.write(`flow: ${circle}\n`);
    return EXIT.usage;
  }
  const env = { ...io.env, ...opened.secretValues, ...gpuChoice(settings) };
  const backends = await openBackends(
    plan.backends,
    project,
    logTo(io, settings.verbose),
    env,
    plan.tasks,
  );
  if (!backends.ok) {
    io.stderr.write(`flow: ${backends.error}\n`);
    return EXIT.outside;
  }
  const refused = await refusedTasks(plan, backends.value);
  if (refused !== undefined) {
    io.stderr.write(`flow: ${refused}\n`);
    await closeBackends(backends.value);
    return EXIT.outside;
  }
  const { mode, verbose, color, rerun } = settings;
  const { secrets } = project;
  const reportFile = settings.reportFile && resolve(io.cwd, settings.reportFile);
  const reporter = openReporter(
    { mode, verbose, color, secrets, rerun, reportFile },
    { ...io, env },
  );
  const asked = new Set(plan.asked.map((index) => plan.tasks[index]?.key));
  const { run, inspector } = prepareRun(plan, state, {
    run: announcedRun(io),
    inside: enclosingTask(io),
    env,
    isForced: (task) => settings.force && asked.has(task.key),
    rebuildModified: settings.rebuildModified,
    strict: settings.strict,
    backends: backends.value,
    helperFolder: dirname(flowTaskPath),
    slots: settings.slots ?? project.jobs,
    keepGoing: settings.keepGoing,
    failFast: settings.failFast,
    version: VERSION,
    file: relative(project.root, project.file),
    evaluate: evaluateCondition(plan, env),
    position: (task, action) => positionIn(plan, task.actions[action ?? -1]?.span ?? task.span),
    listeners: [reporter.event],
    ...(sandbox?.code === undefined ? {} : { captureCode: always(sandbox.code) }),
  });
  const result = await runToEnd(run, reporter, backends.value, io);
  opened.keep();
  const { request } = settings;
  if (request !== undefined && result.counts.fresh === plan.tasks.length && !settings.force) {
    const { inputs } = opened;
    const summary = { tasks: plan.tasks.length };
    leaveEvidence({ plan, inputs, inspector, state, env, request, summary });
  }
  return result.exitCode as ExitCode;
}

const gpuChoice = ({ gpus }: ExecutionSettings): Readonly<Record<string, string>> =>
  gpus === undefined ? {} : { FLOW_USE_GPUS: gpus };

async function runToEnd(
  run: Run,
  reporter: Reporter,
  backends: ReadonlyMap<string, Backend>,
  io: Io,
): Promise<RunResult> {
  const release = handleSignals(run, io);
  try {
    return await run.execute();
  } finally {
    release();
    reporter.close();
    await closeBackends(backends);
  }
}

const always = (code: CodeTree) => (): Promise<CodeTree> => Promise.resolve(code);

function openStateFor(root: string, sandbox: Sandbox | undefined): ProjectState {
  if (sandbox === undefined) return openState(root);
  const state = openState(sandbox.project);
  return { ...state, layout: { ...state.layout, root } };
}

/** The first task that its backend can never run, and how many more there are; undefined: none. */
async function refusedTasks(
  { tasks }: OpenedPlan["plan"],
  backends: ReadonlyMap<string, Backend>,
): Promise<string | undefined> {
  const refusals: { readonly task: Task; readonly why: string }[] = [];
  for (const task of tasks) {
    const why = await backends.get(task.backend)?.refuse?.(task);
    if (why !== undefined) refusals.push({ task, why });
  }
  const [first] = refusals;
  if (first === undefined) return undefined;
  const others = refusals.length === 1 ? "" : ` (${refusals.length - 1} more tasks are refused)`;
  return `\`${first.task.id}\` ${first.why}${others}`;
}

/** The run a `--detach` has announced; undefined: a new one. */
function announcedRun(io: Io): RunId | undefined {
  const announced = io.env[DETACHED_RUN];
  return announced === undefined ? undefined : asRunId(announced);
}

function logTo(io: Io, verbose: boolean): Log {
  const say = (message: string): void => void io.stderr.write(`flow: ${message}\n`);
  return { debug: () => {}, info: verbose ? say : () => {}, warn: say };
}
