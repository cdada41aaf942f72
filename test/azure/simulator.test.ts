/** The simulated Batch account, used through the official client. */
import type { BatchServiceClient } from "@azure/batch";
import { ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startAzurite } from "./azurite.ts";
import { clientFor } from "./client.ts";
import { type BatchSimulator, startBatchSimulator } from "./simulator/index.ts";

let simulator: BatchSimulator;
let client: BatchServiceClient;

beforeEach(async () => {
  simulator = await startBatchSimulator();
  client = clientFor(simulator);
});

afterEach(async () => {
  await simulator.close();
});

const pool = {
  id: "pool",
  vmSize: "Standard_D2s_v3",
  virtualMachineConfiguration: {
    imageReference: { publisher: "canonical", offer: "ubuntu", sku: "22_04-lts" },
    nodeAgentSKUId: "batch.node.ubuntu 22.04",
  },
  targetDedicatedNodes: 1,
};

async function read(taskId: string, path: string, range?: string): Promise<string> {
  const options = range === undefined ? {} : { fileGetFromTaskOptions: { ocpRange: range } };
  const { readableStreamBody } = await client.file.getFromTask("job", taskId, path, options);
  const chunks: Buffer[] = [];
  for await (const chunk of readableStreamBody ?? []) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

const completed = (taskId: string) =>
  simulator.until(`the end of ${taskId}`, ({ jobs }) =>
    jobs
      .flatMap(({ tasks }) => tasks)
      .find(({ id, state }) => id === taskId && state === "completed"),
  );

async function runTask(commandLine: string, rest: object = {}): Promise<object> {
  await client.pool.add(pool);
  await client.job.add({ id: "job", poolInfo: { poolId: "pool" } });
  await client.task.add("job", { id: "task", commandLine, ...rest });
  return await completed("task");
}

describe("a simulated account", () => {
  it("runs a task as a process and shows its output, its files and its exit code", async () => {
    const done = await runTask("/bin/sh -c 'echo out; echo err >&2; echo made > made.txt; exit 3'");
    expect(done).toMatchObject({
      executionInfo: {
        exitCode: 3,
        result: "failure",
        failureInfo: { category: "UserError", code: "FailureExitCode" },
      },
    });
    expect(await read("task", "stdout.txt")).toBe("out\n");
    expect(await read("task", "stderr.txt")).toBe("err\n");
    expect(await read("task", "wd/made.txt", "bytes=2-3")).toBe("de");
    const files = await client.file.listFromTask("job", "task", {
      fileListFromTaskOptions: {},
      recursive: true,
    });
    expect(files.map(({ name }) => name)).toEqual([
      "stderr.txt",
      "stdout.txt",
      "wd",
      "wd/made.txt",
    ]);
  });

  it("refuses a signature that is not the account's", async () => {
    const stranger = clientFor({ ...simulator, accountKey: Buffer.from("no").toString("base64") });
    await expect(stranger.pool.list()).rejects.toMatchObject({
      statusCode: 403,
      body: { code: "AuthenticationFailed" },
    });
  });
});

describe("a node", () => {
  it("mounts a container of a blob server, in both directions", async () => {
    const azurite = await startAzurite();
    const { accountName, accountKey, blobEndpoint } = azurite;
    const container = new ContainerClient(
      `${blobEndpoint}/data`,
      new StorageSharedKeyCredential(accountName, accountKey),
    );
    const other = await startBatchSimulator({ blobEndpoints: { [accountName]: blobEndpoint } });
    try {
      await container.create();
      await container.getBlockBlobClient("in/a.txt").upload("hello", 5);
      const sharing = clientFor(other);
      const azureBlobFileSystemConfiguration = {
        accountName,
        accountKey,
        containerName: "data",
        relativeMountPath: "data",
      };
      const mountConfiguration = [{ azureBlobFileSystemConfiguration }];
      await sharing.pool.add({ ...pool, mountConfiguration });
      await sharing.job.add({ id: "job", poolInfo: { poolId: "pool" } });
      const copy = "cd $AZ_BATCH_NODE_MOUNTS_DIR/data && tr a-z A-Z < in/a.txt > out.txt";
      await sharing.task.add("job", { id: "task", commandLine: `/bin/sh -c '${copy}'` });
      await other.until("the end", ({ jobs }) => jobs[0]?.tasks[0]?.["state"] === "completed");
      const blob = await container.getBlobClient("out.txt").downloadToBuffer();
      expect(blob.toString()).toBe("HELLO");
      expect(JSON.stringify(await sharing.pool.get("pool"))).not.toContain(accountKey);
    } finally {
      await other.close();
      await azurite.close();
    }
  });
});
