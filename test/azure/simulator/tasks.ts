/**
 * The life of a task: placed on one or several nodes, prepared, run with its retries, completed; and all the
 * ways in which it is ended or sent back to the queue from outside.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type {
  Account,
  Execution,
  FailureInfo,
  Job,
  Node,
  Placement,
  Run,
  Task,
} from "./account.ts";
import { durationMs } from "./clock.ts";
import { finish, nodeVariables, runAuxiliary, settings, wipe } from "./nodes.ts";
import { type Exit, runCommand } from "./processes.ts";
import { download, upload } from "./transfers.ts";

const ENDED: FailureInfo = {
  category: "UserError",
  code: "TaskEnded",
  message: "Task Was Ended by User Request",
};
const EXPIRED: FailureInfo = {
  category: "ServerError",
  code: "TaskEnded",
  message: "The task was ended because it exceeded its maximum wall-clock time",
};

/** Puts a task on nodes that have room for it. */
export function placeTask(account: Account, task: Task, nodes: readonly Node[]): void {
  const [primary] = nodes;
  if (primary === undefined) return;
  const placement: Placement = {
    nodes,
    boot: primary.boots,
    runs: new Set(),
    isAbandoned: false,
  };
  task.placement = placement;
  const reservation: Run = { kill: () => abandon(task, placement) };
  for (const node of nodes) {
    node.running.set(reservation, task.spec.requiredSlots ?? 1);
    account.enterNode(node, "running");
  }
  void perform(account, task, placement).finally(() => {
    for (const node of nodes) {
      node.running.delete(reservation);
      const isBusy = [...node.running.values()].some((slots) => slots > 0);
      if (!isBusy && node.state === "running") account.enterNode(node, "idle");
    }
    account.changed();
  });
}

/** The processes end; what they report is not looked at. */
function abandon(task: Task, placement: Placement): void {
  placement.isAbandoned = true;
  for (const run of placement.runs) run.kill();
  if (task.placement === placement) delete task.placement;
}

async function perform(account: Account, task: Task, placement: Placement): Promise<void> {
  const isCurrent = (): boolean => !placement.isAbandoned;
  if (task.job.spec.jobPreparationTask !== undefined) {
    account.enter(task, "preparing");
    const prepared = await Promise.all(
      placement.nodes.map(async (node) => await prepare(account, task.job, node)),
    );
    if (!isCurrent()) return;
    if (prepared.includes(false)) {
      account.enter(task, "active");
      delete task.placement;
      return;
    }
  }
  await account.mounts.sync().catch(() => undefined);
  if (!isCurrent()) return;
  account.enter(task, "running");
  const execution = begin(account, task);
  for (;;) {
    const exit = await attempt(account, task, placement, execution);
    if (!isCurrent()) return;
    const limit = task.spec.constraints?.maxTaskRetryCount ?? 0;
    const retries = (exit.exitCode ?? 0) !== 0 && exit.failureInfo?.category === "UserError";
    if (!retries || (limit >= 0 && task.retryCount >= limit)) {
      finish(account, execution, exit);
      break;
    }
    task.retryCount += 1;
    execution.lastRetryTime = account.clock.stamp();
    execution.startTime = execution.lastRetryTime;
    account.touch(task);
  }
  complete(account, task);
}

function begin(account: Account, task: Task): Execution {
  const root = `workitems/${task.job.id}/job-1/${task.id}`;
  const execution: Execution = {
    state: "running",
    startTime: account.clock.stamp(),
    retryCount: 0,
    root,
  };
  task.execution = execution;
  return execution;
}

function complete(account: Account, task: Task): void {
  const { placement } = task;
  for (const node of placement?.nodes ?? []) {
    node.totalTasksRun += 1;
    if (task.execution?.result === "success") node.totalTasksSucceeded += 1;
  }
  account.enter(task, "completed");
}

async function attempt(
  account: Account,
  task: Task,
  placement: Placement,
  execution: Execution,
): Promise<Exit> {
  const limit = durationMs(task.spec.constraints?.maxWallClockTime);
  let isExpired = false;
  const forget = Number.isFinite(limit)
    ? account.clock.after(limit, () => {
        isExpired = true;
        for (const run of placement.runs) run.kill();
      })
    : () => undefined;
  const exit = await runAttempt(account, task, placement, execution);
  forget();
  if (placement.isAbandoned) return exit;
  await account.mounts.sync().catch(() => undefined);
  const outcome: Exit = isExpired ? { exitCode: exit.exitCode ?? 137, failureInfo: EXPIRED } : exit;
  const failure = await upload(
    task.spec.outputFiles ?? [],
    join(placement.nodes[0]!.directory, execution.root, "wd"),
    outcome.failureInfo === undefined,
  );
  return failure === undefined || outcome.failureInfo !== undefined
    ? outcome
    : { ...outcome, failureInfo: failure };
}

async function runAttempt(
  account: Account,
  task: Task,
  placement: Placement,
  execution: Execution,
): Promise<Exit> {
  const [primary] = placement.nodes;
  if (primary === undefined) return { failureInfo: ENDED };
  const directory = join(primary.directory, execution.root);
  mkdirSync(join(directory, "wd"), { recursive: true });
  const failure = await download(task.spec.resourceFiles ?? [], join(directory, "wd"));
  if (failure !== undefined) return { failureInfo: failure };
  if (placement.isAbandoned) return { failureInfo: ENDED };
  const multi = task.spec.multiInstanceSettings;
  if (multi !== undefined) {
    const failed = await coordinate(account, task, placement, execution);
    if (failed !== undefined) return failed;
  }
  const env = taskVariables(account, task, primary, execution.root, placement.nodes, true);
  return await runTracked(placement, { line: task.spec.commandLine, directory, env });
}

async function runTracked(
  placement: Placement,
  command: Parameters<typeof runCommand>[0],
): Promise<Exit> {
  if (placement.isAbandoned) return { failureInfo: ENDED };
  const run = runCommand(command);
  placement.runs.add(run);
  const exit = await run.ended;
  placement.runs.delete(run);
  return exit;
}

/** Runs the coordination command on every node; the first failure ends the whole task. */
async function coordinate(
  account: Account,
  task: Task,
  placement: Placement,
  execution: Execution,
): Promise<Exit | undefined> {
  const multi = task.spec.multiInstanceSettings!;
  const exits = await Promise.all(
    placement.nodes.map(async (node, index) => {
      const root = index === 0 ? execution.root : `${execution.root}/${index}`;
      const directory = join(node.directory, root);
      mkdirSync(join(directory, "wd"), { recursive: true });
      const common = join(node.directory, execution.root);
      const failure = await download(multi.commonResourceFiles ?? [], common);
      const subtask = {
        state: "running" as const,
        startTime: account.clock.stamp(),
        retryCount: 0,
      };
      const record = { ...subtask, root, node };
      if (index > 0) task.subtasks.set(index, record);
      const env = taskVariables(account, task, node, root, placement.nodes, index === 0);
      const outputs = index === 0 ? (["stdout.coord.txt", "stderr.coord.txt"] as const) : undefined;
      const exit: Exit =
        failure === undefined
          ? await runTracked(placement, {
              line: multi.coordinationCommandLine,
              directory,
              env,
              ...(outputs === undefined ? {} : { outputs }),
            })
          : { failureInfo: failure };
      if (index > 0) finish(account, record, exit);
      return exit;
    }),
  );
  return exits.find(({ failureInfo }) => failureInfo !== undefined);
}

function taskVariables(
  account: Account,
  task: Task,
  node: Node,
  root: string,
  nodes: readonly Node[],
  isPrimary: boolean,
): Record<string, string> {
  const preparation = `workitems/${task.job.id}/job-1/jobpreparation`;
  const own: Record<string, string> = {
    ...nodeVariables(account, node, root),
    AZ_BATCH_JOB_ID: task.job.id,
    AZ_BATCH_TASK_ID: task.id,
    AZ_BATCH_NODE_LIST: nodes.map(({ address }) => address).join(";"),
  };
  if (task.job.spec.jobPreparationTask !== undefined) {
    own["AZ_BATCH_JOB_PREP_DIR"] = join(node.directory, preparation);
    own["AZ_BATCH_JOB_PREP_WORKING_DIR"] = join(node.directory, preparation, "wd");
  }
  if (task.spec.multiInstanceSettings !== undefined) {
    own["AZ_BATCH_HOST_LIST"] = nodes.map(({ address }) => address).join(",");
    own["AZ_BATCH_MASTER_NODE"] = `${nodes[0]?.address ?? ""}:6000`;
    own["AZ_BATCH_IS_CURRENT_NODE_MASTER"] = String(isPrimary);
    own["AZ_BATCH_TASK_SHARED_DIR"] = join(
      node.directory,
      `workitems/${task.job.id}/job-1/${task.id}`,
    );
  }
  return {
    ...settings(task.job.spec.commonEnvironmentSettings),
    ...settings(task.spec.environmentSettings),
    ...own,
  };
}

/** Runs the job preparation task on a node unless it has run there; says whether the node is ready. */
async function prepare(account: Account, job: Job, node: Node): Promise<boolean> {
  const spec = job.spec.jobPreparationTask;
  if (spec === undefined || node.preparations.get(job.id)?.result === "success") return true;
  const boots = node.boots;
  const root = `workitems/${job.id}/job-1/${spec.id ?? "jobpreparation"}`;
  const execution = await runAuxiliary({
    account,
    node,
    root,
    commandLine: spec.commandLine,
    resourceFiles: spec.resourceFiles ?? [],
    retries: spec.constraints?.maxTaskRetryCount ?? 0,
    env: {
      ...settings(job.spec.commonEnvironmentSettings),
      ...settings(spec.environmentSettings),
      ...nodeVariables(account, node, root),
      AZ_BATCH_JOB_ID: job.id,
      AZ_BATCH_TASK_ID: spec.id ?? "jobpreparation",
    },
    isCurrent: () => node.boots === boots,
    started: (each) => {
      node.preparations.set(job.id, each);
    },
  });
  return execution.result === "success" || !(spec.waitForSuccess ?? true);
}

/** Ends a task where it is; it is completed then. */
export function endTask(account: Account, task: Task, failure: FailureInfo = ENDED): void {
  if (task.state === "completed") return;
  const { placement } = task;
  if (placement !== undefined) abandon(task, placement);
  const execution = task.execution ?? begin(account, task);
  finish(account, execution, { exitCode: 137, failureInfo: failure });
  if (placement === undefined) {
    delete execution.exitCode;
  } else task.placement = { ...placement, isAbandoned: true };
  account.enter(task, "completed");
}

/** Sends a task back to the queue, as if it had never started. */
export function requeueTask(account: Account, task: Task, byUser: boolean): void {
  if (task.state === "completed") return;
  if (task.placement !== undefined) abandon(task, task.placement);
  delete task.execution;
  task.retryCount = 0;
  task.subtasks.clear();
  if (byUser) {
    task.requeueCount += 1;
    task.lastRequeueTime = account.clock.stamp();
  }
  account.enter(task, "active");
}

const tasksOn = (account: Account, node: Node): readonly Task[] =>
  [...account.jobs.values()]
    .flatMap((job) => [...job.tasks.values()])
    .filter(
      (task) => task.state !== "completed" && (task.placement?.nodes.includes(node) ?? false),
    );

export function requeueTasksOn(account: Account, node: Node): void {
  for (const task of tasksOn(account, node)) requeueTask(account, task, false);
}

export function terminateTasksOn(account: Account, node: Node): void {
  for (const task of tasksOn(account, node)) endTask(account, task);
}

/** Takes a low-priority node away: its processes are killed, its disk is gone, its id stays. */
export function preempt(account: Account, node: Node): void {
  requeueTasksOn(account, node);
  wipe(account, node);
  account.enterNode(node, "preempted");
  account.changed();
}
