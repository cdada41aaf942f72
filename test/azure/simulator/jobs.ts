/** The life of a job: made with or without a pool of its own, ended by its tasks, its limits or a request. */
import { randomUUID } from "node:crypto";
import type { BatchServiceModels as Models } from "@azure/batch";
import type { Account, Job, Node, Task } from "./account.ts";
import { durationMs } from "./clock.ts";
import { conflict, ServiceError } from "./errors.ts";
import { nodeVariables, runAuxiliary, settings } from "./nodes.ts";
import { createPool, deletePool, formulaErrorOf } from "./pools.ts";
import { endTask, requeueTask } from "./tasks.ts";

export function createJob(account: Account, spec: Models.JobAddParameter): Job {
  const active = [...account.jobs.values()].filter(({ state }) => state !== "completed");
  if (active.length >= account.quotas.activeJobs)
    throw conflict(
      "ActiveJobAndScheduleQuotaReached",
      "The specified account has reached active job and job schedule quota.",
    );
  const born = account.born("active" as const);
  const job: Job = {
    ...born,
    id: spec.id,
    spec: { ...spec },
    tasks: new Map(),
    startTime: born.creationTime,
  };
  const auto = spec.poolInfo.autoPoolSpecification;
  if (auto?.pool !== undefined) {
    job.poolId = `${auto.autoPoolIdPrefix ?? ""}_${randomUUID().toUpperCase()}`.replace(/^_/, "");
    startPool(account, job, auto, { ...auto.pool, id: job.poolId });
  } else if (spec.poolInfo.poolId !== undefined) job.poolId = spec.poolInfo.poolId;
  account.jobs.set(job.id.toLowerCase(), job);
  armDeadline(account, job);
  return job;
}

/** Makes the pool of a job; one that cannot be had ends the job, which was accepted before. */
function startPool(
  account: Account,
  job: Job,
  auto: Models.AutoPoolSpecification,
  spec: Models.PoolAddParameter,
): void {
  const formulaError = formulaErrorOf(account, spec);
  const code =
    account.pools.size >= account.quotas.pools
      ? "AutoPoolCreationFailedWithQuotaReached"
      : formulaError === undefined
        ? undefined
        : "InvalidAutoScaleFormulaInAutoPool";
  if (code === undefined) createPool(account, spec, auto.keepAlive === true ? undefined : job.id);
  else {
    const message = formulaError ?? "The pool quota for the account is reached.";
    job.schedulingError = { category: "UserError", code, message };
    delete job.poolId;
    terminateJob(account, job, code);
  }
}

export function checkPoolQuota(account: Account): void {
  if (account.pools.size < account.quotas.pools) return;
  throw conflict("PoolQuotaReached", "The specified account has reached pool quota.");
}

/** Watches the wall-clock limit of a job; again after it was changed. */
export function armDeadline(account: Account, job: Job): void {
  job.cancelDeadline?.();
  const limit = durationMs(job.spec.constraints?.maxWallClockTime);
  if (!Number.isFinite(limit)) return;
  const left = Date.parse(job.creationTime) + limit - account.clock.now();
  job.cancelDeadline = account.clock.after(Math.max(0, left), () => {
    if (isLive(job)) terminateJob(account, job, "MaxWallClockTimeExpiry");
  });
}

/** Whether a job can still run tasks one day. */
const isLive = (job: Job): boolean => !["terminating", "completed", "deleting"].includes(job.state);

/** Ends running tasks, runs release tasks, completes the job; tasks that wait stay active. */
export function terminateJob(account: Account, job: Job, reason: string): void {
  job.cancelDeadline?.();
  job.terminateReason = reason;
  account.enter(job, "terminating");
  for (const task of job.tasks.values()) if (hasBegun(task)) endTask(account, task);
  void release(account, job).then(() => {
    account.clock.after(account.delays.endJob, () => {
      if (job.state !== "terminating") return;
      job.endTime = account.clock.stamp();
      account.enter(job, "completed");
      endLifetime(account, job);
      account.changed();
    });
  });
  account.changed();
}

/** It has a node, if it does not run there yet. */
const hasBegun = (task: Task): boolean => task.state !== "active" || task.placement !== undefined;

/** A pool made for a job's lifetime goes with the job. */
function endLifetime(account: Account, job: Job): void {
  for (const pool of account.pools.values())
    if (pool.lifetimeOf === job.id && pool.state === "active") deletePool(account, pool);
}

async function release(account: Account, job: Job): Promise<void> {
  const spec = job.spec.jobReleaseTask;
  if (spec === undefined) return;
  const nodes = [...account.pools.values()]
    .flatMap((pool) => [...pool.nodes.values()])
    .filter((node) => node.preparations.has(job.id) && !node.releases.has(job.id));
  await Promise.all(nodes.map(async (node) => await releaseOn(account, job, node, spec)));
}

async function releaseOn(
  account: Account,
  job: Job,
  node: Node,
  spec: Models.JobReleaseTask,
): Promise<void> {
  const boots = node.boots;
  const id = spec.id ?? "jobrelease";
  const root = `workitems/${job.id}/job-1/${id}`;
  await runAuxiliary({
    account,
    node,
    root,
    commandLine: spec.commandLine,
    resourceFiles: spec.resourceFiles ?? [],
    retries: 0,
    env: {
      ...settings(job.spec.commonEnvironmentSettings),
      ...settings(spec.environmentSettings),
      ...nodeVariables(account, node, root),
      AZ_BATCH_JOB_ID: job.id,
      AZ_BATCH_TASK_ID: id,
    },
    isCurrent: () => node.boots === boots,
    started: (each) => {
      node.releases.set(job.id, each);
    },
  });
}

/** Deletes a job with its tasks and, after the delay, itself. */
export function deleteJob(account: Account, job: Job): void {
  if (job.state === "deleting") throw beingDeleted();
  job.cancelDeadline?.();
  account.enter(job, "deleting");
  for (const task of job.tasks.values()) if (hasBegun(task)) endTask(account, task);
  void release(account, job).then(() => {
    account.clock.after(account.delays.endJob, () => {
      account.jobs.delete(job.id.toLowerCase());
      endLifetime(account, job);
      account.changed();
    });
  });
}

export function disableJob(account: Account, job: Job, option: Models.DisableJobOption): void {
  if (!["active", "disabling", "disabled"].includes(job.state)) throw wrongState("disable", job);
  job.disableTasks = option;
  account.enter(job, "disabling");
  for (const task of job.tasks.values()) {
    if (task.state === "active" || task.state === "completed") continue;
    if (option === "requeue") requeueTask(account, task, true);
    if (option === "terminate") endTask(account, task);
  }
}

export function enableJob(account: Account, job: Job): void {
  if (!["disabling", "disabled", "enabling", "active"].includes(job.state))
    throw wrongState("enable", job);
  account.enter(job, "active");
}

/** The service's answer to a change of a job that is ending. */
export function checkChangeable(job: Job): void {
  if (job.state === "deleting") throw beingDeleted();
  if (job.state === "terminating")
    throw conflict("JobBeingTerminated", "The specified job is being terminated.");
  if (job.state === "completed")
    throw conflict("JobCompleted", "The specified job is already in a completed state.");
}

const beingDeleted = (): ServiceError =>
  conflict(
    "JobBeingDeleted",
    "The specified job has been marked for deletion and is being garbage collected.",
  );

const wrongState = (what: string, job: Job): ServiceError =>
  new ServiceError(
    409,
    "OperationInvalidForCurrentState",
    `The specified operation ${what} is not valid for the current state of the resource.`,
    { State: job.state },
  );

/** Moves jobs on that their tasks have decided; called after every change. */
export function settleJobs(account: Account): void {
  for (const job of account.jobs.values()) {
    const tasks = [...job.tasks.values()];
    const isBusy = tasks.some(({ state }) => state === "running" || state === "preparing");
    if (job.state === "disabling" && !isBusy) account.enter(job, "disabled");
    if (job.state !== "active") continue;
    const failed = tasks.find((task) => task.execution?.result === "failure" && endsJob(task));
    if (failed !== undefined) terminateJob(account, job, "TaskFailed");
    else if (
      job.spec.onAllTasksComplete === "terminatejob" &&
      tasks.every(({ state }) => state === "completed")
    )
      terminateJob(account, job, "AllTasksComplete");
  }
}

function endsJob(task: Task): boolean {
  if (task.state !== "completed") return false;
  if (task.job.spec.onTaskFailure !== "performexitoptionsjobaction") return false;
  return exitOptions(task)?.jobAction === "terminate";
}

/** What the client wanted to happen for the way in which a completed task ended. */
export function exitOptions(task: Task): Models.ExitOptions | undefined {
  const { exitConditions: conditions } = task.spec;
  const code = task.execution?.exitCode;
  if (task.execution?.failureInfo?.code.startsWith("FileUpload") === true)
    return conditions?.fileUploadError ?? conditions?.default;
  if (code === undefined) return conditions?.preProcessingError ?? conditions?.default;
  const exact = conditions?.exitCodes?.find((each) => each.code === code)?.exitOptions;
  const range = conditions?.exitCodeRanges?.find(
    ({ start, end }) => start <= code && code <= end,
  )?.exitOptions;
  return exact ?? range ?? (code === 0 ? undefined : conditions?.default);
}
