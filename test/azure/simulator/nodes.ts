/** The life of a node: boot, mounts, start task, preemption, removal. */
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { BatchServiceModels as Models } from "@azure/batch";
import type { Account, Execution, Node, Pool } from "./account.ts";
import { type Exit, runCommand } from "./processes.ts";
import { download } from "./transfers.ts";

/** Makes a node of a pool; it comes up after the delays of the account. */
export function addNode(account: Account, pool: Pool, dedicated: boolean): Node {
  pool.made += 1;
  const id = `tvmps_${pool.made.toString(16).padStart(64, "0")}_${dedicated ? "d" : "p"}`;
  const now = account.clock.stamp();
  const node: Node = {
    id,
    pool,
    dedicated,
    address: `10.0.0.${3 + pool.made}`,
    directory: join(account.directory, "nodes", pool.id, id),
    state: "creating",
    stateTransitionTime: now,
    schedulingState: "enabled",
    allocationTime: now,
    preparations: new Map(),
    releases: new Map(),
    errors: [],
    running: new Map(),
    totalTasksRun: 0,
    totalTasksSucceeded: 0,
    boots: 0,
  };
  pool.nodes.set(id, node);
  boot(account, node);
  return node;
}

/** Starts a node's machine; also after a preemption, with an empty disk. */
export function boot(account: Account, node: Node): void {
  node.boots += 1;
  const number = node.boots;
  const isCurrent = (): boolean => node.boots === number && node.pool.nodes.get(node.id) === node;
  account.enterNode(node, "starting");
  account.clock.after(account.delays.boot, () => {
    if (isCurrent()) void comeUp(account, node, isCurrent);
  });
}

async function comeUp(account: Account, node: Node, isCurrent: () => boolean): Promise<void> {
  const spec = node.pool.spec;
  node.lastBootTime = account.clock.stamp();
  for (const each of ["shared", "startup", "workitems", "fsmounts", "applications", "volatile"])
    mkdirSync(join(node.directory, each), { recursive: true });
  try {
    await account.mounts.attach(spec.mountConfiguration ?? [], join(node.directory, "fsmounts"));
  } catch (error) {
    node.errors = [{ code: "MountConfigurationException", message: String(error) }];
    account.enterNode(node, "unusable");
    account.changed();
    return;
  }
  if (!isCurrent()) return;
  const wait = spec.startTask?.waitForSuccess ?? true;
  if (spec.startTask === undefined || !wait) account.enterNode(node, "idle");
  account.changed();
  if (spec.startTask === undefined) return;
  if (wait) account.enterNode(node, "waitingforstarttask");
  await runStartTask(account, node, spec.startTask, isCurrent);
  if (!isCurrent()) return;
  if (wait) {
    const failed = node.startTask?.result === "failure";
    account.enterNode(node, failed ? "starttaskfailed" : "idle");
    if (failed)
      node.errors = [{ code: "StartTaskFailed", message: "The start task failed on the node." }];
  }
  account.changed();
}

async function runStartTask(
  account: Account,
  node: Node,
  task: Models.StartTask,
  isCurrent: () => boolean,
): Promise<void> {
  node.startTask = await runAuxiliary({
    account,
    node,
    root: "startup",
    commandLine: task.commandLine,
    resourceFiles: task.resourceFiles ?? [],
    retries: task.maxTaskRetryCount ?? 0,
    env: { ...settings(task.environmentSettings), ...nodeVariables(account, node, "startup") },
    isCurrent,
    started: (execution) => {
      node.startTask = execution;
    },
  });
}

/** What start, preparation and release tasks have in common. */
export interface Auxiliary {
  readonly account: Account;
  readonly node: Node;
  /** Relative to the node's directory. */
  readonly root: string;
  readonly commandLine: string;
  readonly resourceFiles: readonly Models.ResourceFile[];
  readonly retries: number;
  readonly env: Readonly<Record<string, string>>;
  /** False once the node is no more what it was when this began. */
  readonly isCurrent: () => boolean;
  readonly started: (execution: Execution) => void;
}

/** Runs a start, preparation or release task with its retries; resolves when it is over. */
export async function runAuxiliary(task: Auxiliary): Promise<Execution> {
  const { account, node } = task;
  const directory = join(node.directory, task.root);
  const execution: Execution = {
    state: "running",
    startTime: account.clock.stamp(),
    retryCount: 0,
    root: task.root,
  };
  task.started(execution);
  for (;;) {
    mkdirSync(join(directory, "wd"), { recursive: true });
    const failure = await download(task.resourceFiles, join(directory, "wd"));
    const exit: Exit =
      failure === undefined
        ? await runOn(node, { line: task.commandLine, directory, env: task.env })
        : { failureInfo: failure };
    finish(account, execution, exit);
    const retry =
      task.isCurrent() &&
      (exit.exitCode ?? 0) !== 0 &&
      (task.retries < 0 || execution.retryCount < task.retries);
    if (!retry) return execution;
    execution.retryCount += 1;
    execution.lastRetryTime = account.clock.stamp();
    execution.state = "running";
  }
}

/** Runs a command as long as the node lives; takes no slot. */
async function runOn(node: Node, command: Parameters<typeof runCommand>[0]): Promise<Exit> {
  const run = runCommand(command);
  node.running.set(run, 0);
  const exit = await run.ended;
  node.running.delete(run);
  return exit;
}

/** Writes into an execution how it ended. */
export function finish(account: Account, execution: Execution, exit: Exit): void {
  execution.state = "completed";
  execution.endTime = account.clock.stamp();
  execution.result = exit.failureInfo === undefined ? "success" : "failure";
  delete execution.exitCode;
  delete execution.failureInfo;
  if (exit.exitCode !== undefined) execution.exitCode = exit.exitCode;
  if (exit.failureInfo !== undefined) execution.failureInfo = exit.failureInfo;
}

/** Variables that a client gave, in the form of a process environment. */
export const settings = (
  list: readonly Models.EnvironmentSetting[] | undefined,
): Record<string, string> =>
  Object.fromEntries((list ?? []).map(({ name, value }) => [name, value ?? ""]));

/** The service's own variables for anything that runs on a node. */
export function nodeVariables(account: Account, node: Node, root: string): Record<string, string> {
  const at = (path: string): string => join(node.directory, path);
  return {
    ...account.nodeEnv,
    HOME: at(`${root}/wd`),
    AZ_BATCH_ACCOUNT_NAME: account.name,
    AZ_BATCH_ACCOUNT_URL: account.url,
    AZ_BATCH_POOL_ID: node.pool.id,
    AZ_BATCH_NODE_ID: node.id,
    AZ_BATCH_NODE_IS_DEDICATED: String(node.dedicated),
    AZ_BATCH_NODE_ROOT_DIR: node.directory,
    AZ_BATCH_NODE_SHARED_DIR: at("shared"),
    AZ_BATCH_NODE_STARTUP_DIR: at("startup"),
    AZ_BATCH_NODE_MOUNTS_DIR: at("fsmounts"),
    AZ_BATCH_TASK_DIR: at(root),
    AZ_BATCH_TASK_WORKING_DIR: at(`${root}/wd`),
  };
}

/** Ends everything on a node at once and empties its disk. */
export function wipe(account: Account, node: Node): void {
  for (const run of [...node.running.keys()]) run.kill();
  node.running.clear();
  node.preparations.clear();
  node.releases.clear();
  delete node.startTask;
  delete node.lastBootTime;
  node.boots += 1;
  account.mounts.detach(node.directory);
  const gone = `${node.directory}.gone-${node.boots}-${Date.now()}`;
  try {
    renameSync(node.directory, gone); // At once, while what was killed may still be writing.
  } catch {
    return; // It never came up.
  }
  if (account.keepDisks) return;
  rmSync(gone, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });
}

/** Slots that nothing takes. */
export function freeSlots(node: Node): number {
  const taken = [...node.running.values()].reduce((sum, slots) => sum + slots, 0);
  return (node.pool.spec.taskSlotsPerNode ?? 1) - taken;
}
