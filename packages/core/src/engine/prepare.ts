// From a stale task to a job: the attempt's directory and record, old targets moved aside, the
// contract's variables and files, commands with nothing left to fill in. Everything a later flow
// needs to bring the attempt to its end is on disk before the job is handed over.

import { dirname, join, resolve } from "node:path";
import type { Backend, Job, JobPaths } from "../backend/backend.ts";
import { isGlob } from "../graph/glob.ts";
import { type AttemptKey, attemptKey, type RunId, type TaskKey } from "../model/ids.ts";
import type { RestartReason } from "../model/outcome.ts";
import type { ResourceRequest } from "../model/resources.ts";
import type { MetricSource, Task } from "../model/task.ts";
import type { FileSystem } from "../ports/file-system.ts";
import {
  type AttemptRecord,
  type CodeState,
  RECORD_FORMAT,
  type StoredAttempt,
} from "../record/attempt-record.ts";
import type { InputSnapshot } from "../trace/trace.ts";
import { checkpointDirectory, checkpointState, readyCheckpoint } from "./checkpoint.ts";
import { REQUEUE_CODES } from "./classify.ts";
import { contractVariables } from "./contract.ts";
import { commandLine, jobActions } from "./job-action.ts";
import { ATTEMPT_FILES, type Layout } from "./layout.ts";
import { makeTargetFolders, moveAside, targetsInTheWay } from "./targets.ts";

/** What an attempt is made from. */
export interface AttemptPlan {
  readonly run: RunId;
  readonly task: Task;
  readonly serial: number;
  /** The task's latest earlier attempt, for the lineage. */
  readonly previous: StoredAttempt | undefined;
  readonly inputs: InputSnapshot;
  /** What the scheduler says; an earlier run's end of the lineage may know better. */
  readonly reason: RestartReason;
  readonly promoted: boolean;
  /** A checkpoint that the last success left is gone on from. */
  readonly resumes: boolean;
  readonly resources: ResourceRequest;
  readonly backend: string;
  /** Its type or package, which a task's block of options may be named after instead. */
  readonly backendType: string;
  readonly compat: readonly string[];
  readonly secrets: readonly string[];
  readonly workspace: string | undefined;
  readonly experiment: string | undefined;
  readonly pythonPath: string | undefined;
  readonly code: CodeState | undefined;
  /** Unix milliseconds. */
  readonly wall: number;
  readonly usesNoFolders: Backend["usesNoFolders"];
}

export interface PreparedAttempt {
  readonly record: AttemptRecord;
  readonly job: Job;
}

/** Folders known to exist, so that each is asked about once a run. */
export type KnownFolders = Set<string>;

/** Makes the folder of a task's attempts; false when it was there. */
export function makePlace(
  layout: Layout,
  task: TaskKey,
  fileSystem: FileSystem,
  known: KnownFolders,
): boolean {
  makeOnce([layout.tasks, dirname(layout.task(task))], fileSystem, known);
  fileSystem.makeDirectory(layout.task(task));
  return fileSystem.makeDirectory(layout.attempts(task));
}

/**
 * Writes the attempt down and makes its job, in the place made for it. Throws what the disk throws;
 * the claim must be held.
 */
export function prepare(
  plan: AttemptPlan,
  layout: Layout,
  fileSystem: FileSystem,
  known: KnownFolders,
): PreparedAttempt {
  const { task } = plan;
  const key = attemptKey(task.key, plan.serial);
  const paths = jobPaths(layout, task, key);
  const record = makeRecord(plan, key, layout, fileSystem);
  const outputs = outputDirectories(task, layout);
  fileSystem.makeDirectory(paths.attempt);
  const job = makeJob(plan, record, paths, outputs, fileSystem);
  makeOnce(Object.values(outputs), fileSystem, known);
  if (plan.usesNoFolders?.(job) !== true) {
    makeOnce([paths.output], fileSystem, known);
    fileSystem.makeDirectory(`${paths.attempt}/${ATTEMPT_FILES.scratch}`);
  }
  fileSystem.write(`${paths.attempt}/${ATTEMPT_FILES.record}`, JSON.stringify(record));
  makeTargetFolders(task, layout.root, known, fileSystem);
  const { root } = layout;
  const { attempt: directory } = paths;
  moveAside(task, { root, directory, serial: plan.serial, moved: record.aside }, fileSystem);
  return { record, job };
}

/** From the top down, so that a folder that is there costs nothing and a new one a single call. */
function makeOnce(paths: readonly string[], fileSystem: FileSystem, known: KnownFolders): void {
  for (const path of paths) {
    if (known.has(path)) continue;
    fileSystem.makeDirectory(path);
    known.add(path);
  }
}

function jobPaths(layout: Layout, task: Task, key: AttemptKey): JobPaths {
  const attempt = layout.attempt(key);
  return {
    root: layout.root,
    attempt,
    stdout: `${attempt}/${ATTEMPT_FILES.stdout}`,
    stderr: `${attempt}/${ATTEMPT_FILES.stderr}`,
    started: `${attempt}/${ATTEMPT_FILES.started}`,
    exit: `${attempt}/${ATTEMPT_FILES.exit}`,
    stop: `${attempt}/${ATTEMPT_FILES.stop}`,
    events: `${attempt}/${ATTEMPT_FILES.events}`,
    usage: `${attempt}/${ATTEMPT_FILES.usage}`,
    output: layout.output(task.key),
    checkpoint: checkpointDirectory(task, layout) ?? layout.checkpoint(task.key),
  };
}

function makeRecord(
  plan: AttemptPlan,
  key: AttemptKey,
  layout: Layout,
  fileSystem: FileSystem,
): AttemptRecord {
  const { task, previous } = plan;
  const before = previous?.record;
  const fingerprint = plan.inputs.identity;
  const continues =
    before?.fingerprint === fingerprint && previous?.result?.outcome.type !== "success";
  const requeued = previous?.result?.outcome.type === "requeue";
  const restarts = previous?.result?.exit?.restarts ?? 0;
  const checkpoint = checkpointDirectory(task, layout);
  if (checkpoint !== undefined) {
    readyCheckpoint(checkpoint, before === undefined || continues || plan.resumes, fileSystem);
  }
  return {
    format: RECORD_FORMAT,
    key,
    run: plan.run,
    serial: plan.serial,
    attempt: continues ? before.attempt + restarts + 1 : 1,
    reason: restartReason(plan, continues),
    fingerprint,
    requeues: continues ? before.requeues + restarts + (requeued ? 1 : 0) : 0,
    idle: continues && requeued && !previous.result.progressed ? before.idle + 1 : 0,
    wall: plan.wall,
    task,
    inputs: plan.inputs,
    commands: task.actions.map((action) => commandLine(action, task, layout.root, plan.inputs)),
    resources: plan.resources,
    backend: plan.backend,
    root: layout.root,
    checkpoint,
    aside: targetsInTheWay(task, layout.root, fileSystem),
    checkpointState: checkpoint === undefined ? "" : checkpointState(checkpoint, fileSystem),
    workspace: plan.workspace,
    experiment: plan.experiment,
    code: plan.code,
  };
}

/** Why this is not the first attempt, judging from how the one before it ended. */
function restartReason(plan: AttemptPlan, continues: boolean): RestartReason {
  if (plan.promoted) return "promote";
  if (plan.reason !== "first" || !continues) return plan.reason;
  const outcome = plan.previous?.result?.outcome;
  if (outcome === undefined) return "host-lost";
  if (outcome.type === "requeue") return "requeue";
  if (outcome.type !== "interrupted") return "manual";
  if (outcome.cause === "preempted") return "preempt";
  return outcome.cause === "time-limit"
    ? "deadline"
    : outcome.cause === "stopped"
      ? "manual"
      : "host-lost";
}

/** Absolute directory per named output. */
function outputDirectories(task: Task, layout: Layout): Readonly<Record<string, string>> {
  const directories = Object.entries(task.outputs).map(([name, path]) => [
    name,
    path === "" ? `${layout.output(task.key)}/${name}` : join(layout.root, path),
  ]);
  return Object.fromEntries(directories) as Record<string, string>;
}

function makeJob(
  plan: AttemptPlan,
  record: AttemptRecord,
  paths: JobPaths,
  outputs: Readonly<Record<string, string>>,
  fileSystem: FileSystem,
): Job {
  const { task, inputs } = plan;
  const { paramsFile, inputsFile } = writeContractFiles(plan, paths, fileSystem);
  const dependencies = inputs.deps.map(({ path }) => path);
  const env = contractVariables({
    run: plan.run,
    key: record.key,
    task,
    attempt: record.attempt,
    reason: record.reason,
    root: paths.root,
    directory: paths.attempt,
    scratch: `${paths.attempt}/${ATTEMPT_FILES.scratch}`,
    output: paths.output,
    outputs,
    mounts: Object.fromEntries(
      Object.entries(task.mounts).map(([name, path]) => [name, resolve(paths.root, path)]),
    ),
    checkpoint:
      record.checkpoint === undefined
        ? undefined
        : {
            directory: record.checkpoint,
            path: record.attempt > 1 ? plan.previous?.result?.checkpoint?.path : undefined,
            step: record.attempt > 1 ? plan.previous?.result?.checkpoint?.step : undefined,
            resume: (fileSystem.list(record.checkpoint)?.length ?? 0) > 0,
          },
    events: paths.events,
    stopFile: paths.stop,
    paramsFile,
    inputsFile,
    stdout: paths.stdout,
    deps: dependencies,
    uses: usedTexts(inputs),
    resources: plan.resources,
    backend: plan.backend,
    compat: plan.compat,
    workspace: plan.workspace,
    experiment: plan.experiment,
    pythonPath: plan.pythonPath,
  });
  return {
    key: record.key,
    task: task.id,
    group: task.template,
    actions: jobActions(task.actions, task, paths.root, inputs),
    finally: jobActions(task.finally, task, paths.root, inputs),
    env: { ...env, ...task.env },
    secrets: plan.secrets,
    cwd: join(paths.root, task.cwd),
    paths,
    resources: plan.resources,
    stop: task.stop,
    timeoutMs: task.timeoutMs,
    requeueCodes: [...REQUEUE_CODES, ...task.requeue.codes],
    ...restartsOf(task, record),
    interactive: task.interactive,
    inputs: dependencies,
    ...productsOf(task),
    mounts: task.mounts,
    container: task.container,
    options: optionsFor(plan),
  };
}

const productsOf = ({
  targets,
  outputs,
  values,
  metrics,
}: Task): Pick<Job, "outputs" | "leaves"> => ({
  outputs: targets.map(({ path }) => path),
  leaves: [
    ...Object.values(outputs).filter((path) => path !== ""),
    ...(values === undefined ? [] : [values]),
    ...metrics.flatMap(fileOf),
  ],
});

/** The one file that metrics are read from; none for patterns. */
function fileOf(source: MetricSource): readonly string[] {
  if (source.kind === "json") return [source.path];
  return source.kind === "jsonl" && !isGlob(source.glob) ? [source.glob] : [];
}

/** A system may restart by itself what flow would requeue: the task says so, or there is a checkpoint. */
function restartsOf(
  { requeue }: Task,
  { checkpoint, requeues }: AttemptRecord,
): Pick<Job, "restarts"> {
  const { mode, max } = requeue;
  if (mode === "never" || (mode === "auto" && checkpoint === undefined)) return {};
  if (max === undefined) return { restarts: { max: undefined } };
  return max > requeues ? { restarts: { max: max - requeues } } : {};
}

/**
 * Parameters and inputs as files, for programs that would rather read than parse variables. A file
 * that would say nothing is not made.
 */
function writeContractFiles(
  plan: AttemptPlan,
  paths: JobPaths,
  fileSystem: FileSystem,
): { readonly paramsFile: string | undefined; readonly inputsFile: string | undefined } {
  const { task, inputs } = plan;
  const write = (name: string, content: object): string => {
    const path = `${paths.attempt}/${name}`;
    fileSystem.write(path, `${JSON.stringify(content)}\n`);
    return path;
  };
  const params = { ...task.params, ...task.axes };
  const named = { deps: inputs.expansions, uses: inputs.values };
  return {
    paramsFile: isEmpty(params) ? undefined : write(ATTEMPT_FILES.params, params),
    inputsFile:
      isEmpty(named.deps) && isEmpty(named.uses) ? undefined : write(ATTEMPT_FILES.inputs, named),
  };
}

const isEmpty = (record: object): boolean => Object.keys(record).length === 0;

/** Used values as variables: text as it is, everything else as JSON. */
const usedTexts = ({ values }: InputSnapshot): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === "string" ? value : JSON.stringify(value),
    ]),
  );

/** The task's own keys for this backend; a block named after the backend wins over its type's. */
function optionsFor({
  task,
  backend,
  backendType,
}: AttemptPlan): Readonly<Record<string, unknown>> {
  const block = (name: string): object => (task.backendOptions[name] as object | undefined) ?? {};
  return { ...block(backendType), ...block(backend) };
}
