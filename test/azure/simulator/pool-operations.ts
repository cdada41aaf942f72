/** The operations on pools, nodes and the account. */
import type { BatchServiceModels as Models } from "@azure/batch";
import type { Account, Node, Pool } from "./account.ts";
import { conflict, exists, invalidProperty, notFound, ServiceError } from "./errors.ts";
import { deleteFile, listFiles, readFile } from "./files.ts";
import { checkPoolQuota } from "./jobs.ts";
import { boot, wipe } from "./nodes.ts";
import {
  createPool,
  deletePool,
  evaluate,
  formulaErrorOf,
  removeNode,
  resize,
  scheduleAutoScale,
  targetOf,
} from "./pools.ts";
import { checkConditions, checkId, type Handler, list, nodeOf, poolOf, single } from "./request.ts";
import { requeueTasksOn } from "./tasks.ts";
import { nodeCountsWire, nodeUrl, nodeWire, poolUrl, poolWire } from "./wire.ts";

const steadyPool = (pool: Pool): Pool => {
  if (pool.state === "deleting")
    throw conflict(
      "PoolBeingDeleted",
      "The specified pool has been marked for deletion and is being reclaimed.",
    );
  if (pool.allocationState !== "steady")
    throw conflict("PoolBeingResized", "The specified pool is being resized.");
  return pool;
};

const IMAGES = [
  ["canonical", "0001-com-ubuntu-server-jammy", "22_04-lts", "batch.node.ubuntu 22.04"],
  ["microsoft-azure-batch", "ubuntu-server-container", "20-04-lts", "batch.node.ubuntu 20.04"],
  ["microsoft-dsvm", "ubuntu-hpc", "2204", "batch.node.ubuntu 22.04"],
  ["canonical", "ubuntuserver", "18.04-lts", "batch.node.ubuntu 18.04", "2023-05-31T00:00:00Z"],
];

export const poolOperations: Readonly<Record<string, Handler>> = {
  Account_ListSupportedImages: (request) =>
    list(
      request,
      "supportedimages",
      IMAGES.map(([publisher, offer, sku, nodeAgentSKUId, end]) => ({
        imageReference: { publisher, offer, sku, version: "latest" },
        verificationType: "verified",
        nodeAgentSKUId,
        osType: "linux",
        ...(end === undefined ? {} : { batchSupportEndOfLife: end }),
        capabilities: ["DockerCompatible", "SupportsRDMAOnly"].slice(
          0,
          offer === "ubuntu-hpc" ? 2 : 1,
        ),
      })),
    ),

  Account_ListPoolNodeCounts: (request) =>
    list(request, "poolnodecounts", [...request.account.pools.values()].map(nodeCountsWire)),

  Pool_Add(request) {
    const { account } = request;
    const spec = request.body as Models.PoolAddParameter;
    checkId(spec.id);
    if (account.findPool(spec.id) !== undefined) throw exists("Pool");
    checkPoolQuota(account);
    checkPool(account, spec);
    const pool = createPool(account, spec);
    return { stamped: pool, location: poolUrl(account, pool.id) };
  },

  Pool_List: (request) =>
    list(
      request,
      "pools",
      [...request.account.pools.values()].map((pool) => poolWire(request.account, pool)),
    ),

  Pool_Get(request) {
    const pool = poolOf(request);
    return {
      body: single(request, "pools/@Element", poolWire(request.account, pool)),
      stamped: pool,
    };
  },

  Pool_Exists: (request) => ({ stamped: poolOf(request) }),

  Pool_Delete(request) {
    const pool = poolOf(request);
    checkConditions(request, pool);
    deletePool(request.account, pool);
    return {};
  },

  Pool_Patch(request) {
    const pool = poolOf(request);
    checkConditions(request, pool);
    Object.assign(pool.spec, request.body);
    request.account.touch(pool);
    return { stamped: pool };
  },

  Pool_UpdateProperties(request) {
    const pool = poolOf(request);
    Object.assign(pool.spec, request.body);
    request.account.touch(pool);
    return { stamped: pool };
  },

  Pool_Resize(request) {
    const pool = poolOf(request);
    checkConditions(request, pool);
    if (pool.spec.enableAutoScale === true)
      throw conflict("OperationNotValidOnPool", "Auto scale is enabled on the specified pool.");
    steadyPool(pool);
    const body = request.body as Models.PoolResizeParameter;
    resize(
      request.account,
      pool,
      body.targetDedicatedNodes ?? 0,
      body.targetLowPriorityNodes ?? 0,
      body.nodeDeallocationOption ?? "requeue",
    );
    return { stamped: pool };
  },

  Pool_StopResize(request) {
    const pool = poolOf(request);
    checkConditions(request, pool);
    if (pool.allocationState === "resizing") {
      pool.allocationState = "stopping";
      pool.resizeErrors = [
        {
          code: "ResizeStopped",
          message: "Desired number of dedicated nodes could not be allocated",
        },
      ];
    }
    return { stamped: pool };
  },

  Pool_EnableAutoScale(request) {
    const pool = poolOf(request);
    checkConditions(request, pool);
    if (pool.allocationState !== "steady" && pool.spec.enableAutoScale !== true) steadyPool(pool);
    const body = request.body as Models.PoolEnableAutoScaleParameter;
    pool.spec.enableAutoScale = true;
    const { autoScaleFormula: formula, autoScaleEvaluationInterval: interval } = body;
    if (formula !== undefined) pool.spec.autoScaleFormula = formula;
    if (interval !== undefined) pool.spec.autoScaleEvaluationInterval = interval;
    request.account.touch(pool);
    scheduleAutoScale(request.account, pool);
    return { stamped: pool };
  },

  Pool_DisableAutoScale(request) {
    const pool = poolOf(request);
    pool.spec.enableAutoScale = false;
    delete pool.spec.autoScaleFormula;
    request.account.touch(pool);
    return { stamped: pool };
  },

  Pool_EvaluateAutoScale(request) {
    const pool = poolOf(request);
    if (pool.spec.enableAutoScale !== true)
      throw conflict("OperationNotValidOnPool", "Auto scale is not enabled on the specified pool.");
    const { autoScaleFormula } = request.body as Models.PoolEvaluateAutoScaleParameter;
    const { wire } = evaluate(request.account, pool, autoScaleFormula);
    const entity = "Microsoft.Azure.Batch.Protocol.Entities.AutoScaleRun";
    return { body: single(request, entity, wire) };
  },

  Pool_RemoveNodes(request) {
    const pool = steadyPool(poolOf(request));
    checkConditions(request, pool);
    const body = request.body as Models.NodeRemoveParameter;
    const nodes = body.nodeList.map((id) => {
      const node = pool.nodes.get(id);
      if (node === undefined) throw notFound("Node");
      return node;
    });
    for (const node of nodes) {
      lowerTarget(pool, node);
      removeNode(request.account, node, body.nodeDeallocationOption ?? "requeue");
    }
    return { stamped: pool };
  },

  ComputeNode_List(request) {
    const nodes = [...poolOf(request).nodes.values()];
    return list(
      request,
      "nodes",
      nodes.map((node) => nodeWire(request.account, node)),
    );
  },

  ComputeNode_Get: (request) => ({
    body: single(request, "nodes/@Element", nodeWire(request.account, nodeOf(request))),
  }),

  ComputeNode_Reboot(request) {
    const node = nodeOf(request);
    reboot(request.account, node);
    return {};
  },

  ComputeNode_DisableScheduling(request) {
    const node = nodeOf(request);
    node.schedulingState = "disabled";
    const body = request.body as Models.NodeDisableSchedulingParameter | undefined;
    const option = body?.nodeDisableSchedulingOption ?? "requeue";
    if (option === "requeue") requeueTasksOn(request.account, node);
    return {};
  },

  ComputeNode_EnableScheduling(request) {
    nodeOf(request).schedulingState = "enabled";
    return {};
  },

  ComputeNode_GetRemoteLoginSettings(request) {
    nodeOf(request);
    const settings = { remoteLoginIPAddress: "203.0.113.1", remoteLoginPort: 50_000 };
    return { body: single(request, "remoteloginsettings/@Element", settings) };
  },

  File_ListFromComputeNode(request) {
    const node = liveNode(nodeOf(request));
    const recursive = request.query.get("recursive") === "true";
    const url = `${nodeUrl(request.account, node)}/files`;
    return list(request, "files", listFiles(node.directory, recursive, url));
  },

  File_GetFromComputeNode: (request) => nodeFile(request),
  File_GetPropertiesFromComputeNode: (request) => nodeFile(request),

  File_DeleteFromComputeNode(request) {
    const recursive = request.query.get("recursive") === "true";
    deleteFile(
      liveNode(nodeOf(request)).directory,
      request.parameters["filePath"] ?? "",
      recursive,
    );
    return {};
  },
};

const nodeFile: Handler = (request) => {
  const node = liveNode(nodeOf(request));
  const url = `${nodeUrl(request.account, node)}/files`;
  const range = request.headers["ocp-range"];
  return readFile(node.directory, request.parameters["filePath"] ?? "", url, range);
};

/** A node that can answer; one that is gone or coming has no files. */
function liveNode(node: Node): Node {
  if (
    ["idle", "running", "waitingforstarttask", "starttaskfailed", "leavingpool"].includes(
      node.state,
    )
  )
    return node;
  const codes: Readonly<Record<string, string>> = {
    creating: "NodeBeingCreated",
    starting: "NodeBeingStarted",
    rebooting: "NodeBeingRebooted",
  };
  const code = codes[node.state] ?? "NodeStateUnusable";
  throw conflict(code, `The specified node is ${node.state}.`);
}

function lowerTarget(pool: Pool, node: Node): void {
  const target = Math.max(0, targetOf(pool, node.dedicated) - 1);
  if (node.dedicated) pool.spec.targetDedicatedNodes = target;
  else pool.spec.targetLowPriorityNodes = target;
}

function reboot(account: Account, node: Node): void {
  requeueTasksOn(account, node);
  wipe(account, node);
  account.enterNode(node, "rebooting");
  boot(account, node);
}

/** Rules that the schema only says in words. */
function checkPool(account: Account, spec: Models.PoolAddParameter): void {
  const isAuto = spec.enableAutoScale === true;
  if (isAuto && spec.autoScaleFormula === undefined)
    throw invalidProperty("autoScaleFormula", "", "a pool with enableAutoScale needs a formula");
  if (isAuto && (spec.targetDedicatedNodes ?? spec.targetLowPriorityNodes) !== undefined)
    throw invalidProperty(
      "targetDedicatedNodes",
      String(spec.targetDedicatedNodes),
      "targets must not be specified when enableAutoScale is true",
    );
  if (!isAuto && spec.autoScaleFormula !== undefined)
    throw invalidProperty("autoScaleFormula", spec.autoScaleFormula, "enableAutoScale is false");
  if (spec.virtualMachineConfiguration === undefined)
    throw invalidProperty("virtualMachineConfiguration", "", "it is required");
  const formulaError = formulaErrorOf(account, spec);
  if (formulaError !== undefined)
    throw new ServiceError(
      400,
      "AutoScalingFormulaSyntaxError",
      "The specified auto-scaling formula has a syntax error.",
      { Message: formulaError },
    );
  const slots = spec.taskSlotsPerNode ?? 1;
  if (slots < 1 || slots > 256)
    throw invalidProperty("taskSlotsPerNode", String(slots), "must be between 1 and 256");
}
