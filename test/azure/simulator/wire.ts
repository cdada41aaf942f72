/**
 * How the account's things look in answers: with the service's own letter case (`Spread`, `UserError`),
 * without secrets, and without what they do not have.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Account, Execution, Job, Node, Pool, Stamps, Task } from "./account.ts";
import { FOR_EVER } from "./clock.ts";
import { nodesOf, targetOf } from "./pools.ts";

export type Wire = Record<string, unknown>;

/** Drops what is undefined, as JSON would, and every property that only goes in. */
const withoutSecrets = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value, (name, each: unknown) => (SECRETS.has(name) ? undefined : each)),
  );

const SECRETS = new Set(["password", "sshPrivateKey", "accountKey", "sasKey"]);

const stamps = (thing: Stamps<string>): Wire => ({
  eTag: thing.eTag,
  lastModified: thing.lastModified,
  creationTime: thing.creationTime,
  state: thing.state,
  stateTransitionTime: thing.stateTransitionTime,
});

/** Jobs and tasks also say what they were before; pools do not. */
const history = (thing: Stamps<string>): Wire => ({
  ...stamps(thing),
  ...(thing.previousState === undefined
    ? {}
    : {
        previousState: thing.previousState,
        previousStateTransitionTime: thing.previousStateTransitionTime,
      }),
});

export function poolWire(account: Account, pool: Pool): Wire {
  const { spec } = pool;
  const { targetDedicatedNodes: _d, targetLowPriorityNodes: _l, ...rest } = spec;
  return {
    ...(withoutSecrets(rest) as Wire),
    id: pool.id,
    url: poolUrl(account, pool.id),
    ...stamps(pool),
    allocationState: pool.allocationState,
    allocationStateTransitionTime: pool.allocationStateTransitionTime,
    vmSize: spec.vmSize.toLowerCase(),
    ...(spec.enableAutoScale === true
      ? { autoScaleEvaluationInterval: spec.autoScaleEvaluationInterval ?? "PT15M" }
      : { resizeTimeout: spec.resizeTimeout ?? "PT15M" }),
    ...(pool.resizeErrors.length === 0 ? {} : { resizeErrors: pool.resizeErrors }),
    ...(pool.autoScaleRun === undefined ? {} : { autoScaleRun: pool.autoScaleRun }),
    currentDedicatedNodes: nodesOf(pool, true).length,
    targetDedicatedNodes: targetOf(pool, true),
    currentLowPriorityNodes: nodesOf(pool, false).length,
    targetLowPriorityNodes: targetOf(pool, false),
    enableAutoScale: spec.enableAutoScale ?? false,
    enableInterNodeCommunication: spec.enableInterNodeCommunication ?? false,
    taskSlotsPerNode: spec.taskSlotsPerNode ?? 1,
    taskSchedulingPolicy: {
      nodeFillType: spec.taskSchedulingPolicy?.nodeFillType === "pack" ? "Pack" : "Spread",
    },
    ...(spec.startTask === undefined ? {} : { startTask: startTaskWire(pool) }),
  };
}

const startTaskWire = (pool: Pool): Wire => ({
  userIdentity: AUTO_USER,
  maxTaskRetryCount: 0,
  waitForSuccess: true,
  ...(withoutSecrets(pool.spec.startTask) as Wire),
});

const AUTO_USER = { autoUser: { scope: "pool", elevationLevel: "nonadmin" } };

export function nodeWire(account: Account, node: Node): Wire {
  return {
    id: node.id,
    url: nodeUrl(account, node),
    state: node.state,
    schedulingState: node.schedulingState,
    stateTransitionTime: node.stateTransitionTime,
    ...(node.lastBootTime === undefined ? {} : { lastBootTime: node.lastBootTime }),
    allocationTime: node.allocationTime,
    ipAddress: node.address,
    affinityId: `TVM:${node.id}`,
    vmSize: node.pool.spec.vmSize.toLowerCase(),
    totalTasksRun: node.totalTasksRun,
    totalTasksSucceeded: node.totalTasksSucceeded,
    runningTasksCount: runningTasks(node),
    runningTaskSlotsCount: [...node.running.values()].reduce((sum, slots) => sum + slots, 0),
    ...(node.pool.spec.startTask === undefined ? {} : { startTask: startTaskWire(node.pool) }),
    ...(node.startTask === undefined
      ? {}
      : { startTaskInfo: { state: node.startTask.state, ...executionWire(node.startTask) } }),
    certificateReferences: [],
    isDedicated: node.dedicated,
    ...(node.errors.length === 0 ? {} : { errors: node.errors }),
    endpointConfiguration: {
      inboundEndpoints: [
        {
          name: "SSHRule.0",
          protocol: "tcp",
          publicIPAddress: "203.0.113.1",
          publicFQDN: "nodes.simulated.invalid",
          frontendPort: 50_000,
          backendPort: 22,
        },
      ],
    },
    nodeAgentInfo: { version: "1.7.14", lastUpdateTime: node.lastBootTime ?? node.allocationTime },
  };
}

const runningTasks = (node: Node): number =>
  [...node.running.values()].filter((slots) => slots > 0).length;

/** The fields that start, preparation, release and ordinary tasks share. */
function executionWire(execution: Execution): Wire {
  const { startTime, endTime, exitCode, failureInfo, result, retryCount, lastRetryTime } =
    execution;
  return withoutSecrets({
    startTime,
    endTime,
    exitCode,
    failureInfo,
    result,
    retryCount,
    lastRetryTime,
  }) as Wire;
}

export function jobWire(account: Account, job: Job): Wire {
  const { spec } = job;
  return {
    ...(withoutSecrets(spec) as Wire),
    id: job.id,
    url: `${account.url}/jobs/${job.id}`,
    ...history(job),
    priority: spec.priority ?? 0,
    maxParallelTasks: spec.maxParallelTasks ?? -1,
    allowTaskPreemption: spec.allowTaskPreemption ?? false,
    usesTaskDependencies: spec.usesTaskDependencies ?? false,
    constraints: {
      maxWallClockTime: spec.constraints?.maxWallClockTime ?? FOR_EVER,
      maxTaskRetryCount: spec.constraints?.maxTaskRetryCount ?? 0,
    },
    executionInfo: {
      startTime: job.startTime,
      ...(job.endTime === undefined ? {} : { endTime: job.endTime }),
      ...(job.poolId === undefined ? {} : { poolId: job.poolId }),
      ...(job.schedulingError === undefined ? {} : { schedulingError: job.schedulingError }),
      ...(job.state === "completed" && job.terminateReason !== undefined
        ? { terminateReason: job.terminateReason }
        : {}),
    },
    onAllTasksComplete: spec.onAllTasksComplete ?? "noaction",
    onTaskFailure: spec.onTaskFailure ?? "noaction",
  };
}

export function taskWire(account: Account, task: Task): Wire {
  const { spec, execution, placement } = task;
  const [primary] = placement?.nodes ?? [];
  return {
    ...(withoutSecrets(spec) as Wire),
    id: task.id,
    url: taskUrl(account, task),
    ...history(task),
    userIdentity: spec.userIdentity ?? AUTO_USER,
    constraints: {
      maxWallClockTime: spec.constraints?.maxWallClockTime ?? FOR_EVER,
      retentionTime: spec.constraints?.retentionTime ?? "P7D",
      maxTaskRetryCount:
        spec.constraints?.maxTaskRetryCount ?? task.job.spec.constraints?.maxTaskRetryCount ?? 0,
    },
    requiredSlots: spec.requiredSlots ?? 1,
    executionInfo: {
      ...(execution === undefined ? {} : executionWire(execution)),
      retryCount: task.retryCount,
      requeueCount: task.requeueCount,
      ...(task.lastRequeueTime === undefined ? {} : { lastRequeueTime: task.lastRequeueTime }),
    },
    ...(primary === undefined || execution === undefined
      ? {}
      : { nodeInfo: placeWire(account, primary, execution.root) }),
  };
}

export function subtaskWires(account: Account, task: Task): Wire[] {
  return [...task.subtasks].map(([id, subtask]) => ({
    id,
    nodeInfo: placeWire(account, subtask.node, subtask.root),
    ...executionWire(subtask),
    retryCount: undefined,
    state: subtask.state,
    stateTransitionTime: subtask.endTime ?? subtask.startTime,
  }));
}

const placeWire = (account: Account, node: Node, root: string): Wire => ({
  affinityId: `TVM:${node.id}`,
  nodeUrl: nodeUrl(account, node),
  poolId: node.pool.id,
  nodeId: node.id,
  taskRootDirectory: root,
  taskRootDirectoryUrl: `${nodeUrl(account, node)}/files/${root}`,
});

/** Preparation and release of a job on one node. */
export function preparationWire(account: Account, job: Job, node: Node): Wire | undefined {
  const preparation = node.preparations.get(job.id);
  const release = node.releases.get(job.id);
  if (preparation === undefined) return undefined;
  const wire = (execution: Execution): Wire => ({
    state: execution.state,
    taskRootDirectory: execution.root,
    taskRootDirectoryUrl: `${nodeUrl(account, node)}/files/${execution.root}`,
    ...executionWire(execution),
  });
  return {
    poolId: node.pool.id,
    nodeId: node.id,
    nodeUrl: nodeUrl(account, node),
    jobPreparationTaskExecutionInfo: wire(preparation),
    ...(release === undefined
      ? {}
      : { jobReleaseTaskExecutionInfo: { ...wire(release), retryCount: undefined } }),
  };
}

export function countsWire(tasks: readonly Task[]): Wire {
  const count = (weight: (task: Task) => number): Wire => {
    const sum = (holds: (task: Task) => boolean): number =>
      tasks.filter(holds).reduce((total, task) => total + weight(task), 0);
    return {
      active: sum(({ state }) => state === "active"),
      running: sum(({ state }) => state === "running" || state === "preparing"),
      completed: sum(({ state }) => state === "completed"),
      succeeded: sum((task) => task.state === "completed" && task.execution?.result === "success"),
      failed: sum((task) => task.state === "completed" && task.execution?.result === "failure"),
    };
  };
  return {
    taskCounts: count(() => 1),
    taskSlotCounts: count((task) => task.spec.requiredSlots ?? 1),
  };
}

const NODE_STATES = [
  "creating",
  "idle",
  "leavingPool",
  "offline",
  "preempted",
  "rebooting",
  "reimaging",
  "running",
  "starting",
  "startTaskFailed",
  "unusable",
  "unknown",
  "waitingForStartTask",
];

export function nodeCountsWire(pool: Pool): Wire {
  const count = (dedicated: boolean): Wire => {
    const nodes = nodesOf(pool, dedicated);
    const entries = NODE_STATES.map((state) => [
      state,
      nodes.filter((node) => node.state === state.toLowerCase()).length,
    ]);
    return { ...Object.fromEntries(entries), total: nodes.length };
  };
  return { poolId: pool.id, dedicated: count(true), lowPriority: count(false) };
}

export const poolUrl = (account: Account, id: string): string => `${account.url}/pools/${id}`;

export const nodeUrl = (account: Account, node: Node): string =>
  `${poolUrl(account, node.pool.id)}/nodes/${node.id}`;

export const taskUrl = (account: Account, task: Task): string =>
  `${account.url}/jobs/${task.job.id}/tasks/${task.id}`;

/** The directory of a task on its node; `undefined` once that is gone. */
export function taskDirectory(task: Task): string | undefined {
  const [node] = task.placement?.nodes ?? [];
  if (node === undefined || task.execution === undefined) return undefined;
  const path = join(node.directory, task.execution.root);
  return existsSync(path) ? path : undefined;
}
