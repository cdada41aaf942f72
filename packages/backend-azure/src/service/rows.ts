// What the service's client returns, as flow's own rows: words in lower case, times in Unix
// milliseconds, absent members filled in.

import type { BatchServiceModels as Models } from "@azure/batch";
import type { Added, Image, JobRow, NameValue, NodeRow, PoolRow, TaskRow } from "./batch-port.ts";

const lower = (word: string | undefined): string => (word ?? "").toLowerCase();
const wall = (date: Date | undefined): number | undefined => date?.getTime();

/** The service ends a message with lines for its support, which go elsewhere. */
const sentence = (error: Models.BatchError | undefined): string =>
  error?.message?.value?.split("\n")[0] ?? error?.code ?? "";

const pairs = (
  list: readonly { readonly name?: string; readonly value?: string }[] | undefined,
): readonly NameValue[] => (list ?? []).map(({ name = "", value = "" }) => ({ name, value }));

const problems = (
  list: readonly { readonly code?: string; readonly message?: string }[] | undefined,
): NodeRow["errors"] => (list ?? []).map(({ code = "", message = "" }) => ({ code, message }));

export const jobRow = (job: Models.CloudJob): JobRow => ({
  id: job.id ?? "",
  state: lower(job.state),
  pool: job.executionInfo?.poolId ?? job.poolInfo?.poolId,
  metadata: pairs(job.metadata),
  endReason: job.executionInfo?.terminateReason?.toLowerCase(),
});

export function taskRow({ id, state, executionInfo, nodeInfo }: Models.CloudTask): TaskRow {
  const failure = executionInfo?.failureInfo;
  return {
    id: id ?? "",
    state: lower(state),
    startedAt: wall(executionInfo?.startTime),
    endedAt: wall(executionInfo?.endTime),
    exitCode: executionInfo?.exitCode,
    failure: failure && {
      category: lower(failure.category),
      code: failure.code ?? "",
      message: failure.message ?? "",
      details: pairs(failure.details),
    },
    node: nodeInfo?.nodeId,
    pool: nodeInfo?.poolId,
  };
}

export const poolRow = (pool: Models.CloudPool): PoolRow => ({
  id: pool.id ?? "",
  state: lower(pool.state),
  allocation: lower(pool.allocationState),
  vmSize: pool.vmSize ?? "",
  dedicated: pool.currentDedicatedNodes ?? 0,
  lowPriority: pool.currentLowPriorityNodes ?? 0,
  targetDedicated: pool.targetDedicatedNodes ?? 0,
  targetLowPriority: pool.targetLowPriorityNodes ?? 0,
  autoScale: pool.enableAutoScale ?? false,
  slotsPerNode: pool.taskSlotsPerNode ?? 1,
  interNode: pool.enableInterNodeCommunication ?? false,
  hasContainers: pool.virtualMachineConfiguration?.containerConfiguration !== undefined,
  mounts: (pool.mountConfiguration ?? []).flatMap(mountPath),
  errors: problems(pool.resizeErrors),
  metadata: pairs(pool.metadata),
});

function mountPath(mount: Models.MountConfiguration): readonly string[] {
  const one =
    mount.azureBlobFileSystemConfiguration ??
    mount.azureFileShareConfiguration ??
    mount.nfsMountConfiguration;
  return one === undefined ? [] : [one.relativeMountPath];
}

export const nodeRow = (node: Models.ComputeNode): NodeRow => ({
  id: node.id ?? "",
  state: lower(node.state),
  dedicated: node.isDedicated ?? true,
  runningTasks: node.runningTasksCount ?? 0,
  vmSize: node.vmSize ?? "",
  errors: problems(node.errors),
  startTaskExit: node.startTaskInfo?.exitCode,
});

export const imageOf = (image: Models.ImageInformation): Image => ({
  reference: {
    publisher: image.imageReference.publisher ?? "",
    offer: image.imageReference.offer ?? "",
    sku: image.imageReference.sku ?? "",
    version: image.imageReference.version ?? "latest",
  },
  agent: image.nodeAgentSKUId,
  verified: lower(image.verificationType) === "verified",
  endOfLife: wall(image.batchSupportEndOfLife),
  capabilities: image.capabilities ?? [],
});

export function added({ status, error }: Models.TaskAddResult): Added {
  if (lower(status) === "success") return { type: "added" };
  const code = error?.code ?? "";
  if (lower(code) === "taskexists") return { type: "exists" };
  const message = sentence(error);
  return lower(status) === "servererror"
    ? { type: "again", message }
    : { type: "refused", code, message };
}
