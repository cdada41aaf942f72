/** How the simulated nodes move files from and to a real blob server. */
import { existsSync, readFileSync } from "node:fs";
import {
  ContainerClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";
import { type Azurite, startAzurite } from "./azurite.ts";
import { clientFor } from "./client.ts";
import { JOB, POOL, useSimulator } from "./fixture.ts";
import { startBatchSimulator } from "./simulator/index.ts";

const fixture = useSimulator();

async function run(commandLine: string, rest: object = {}): Promise<object> {
  await fixture.client.pool.add(POOL);
  await fixture.client.job.add(JOB);
  await fixture.client.task.add("job", { id: "task", commandLine, ...rest });
  return await fixture.completed("task");
}

describe("files of blob storage", () => {
  let azurite: Azurite;
  let container: ContainerClient;

  beforeAll(async () => {
    azurite = await startAzurite();
    const { accountName, accountKey, blobEndpoint } = azurite;
    const credential = new StorageSharedKeyCredential(accountName, accountKey);
    container = new ContainerClient(`${blobEndpoint}/data`, credential);
    await container.create({ access: "container" });
    await container.getBlockBlobClient("in/a.txt").upload("hello", 5);
  });

  afterAll(async () => {
    await azurite.close();
  });

  it("come to a task, and leave it with a signature that may write", async () => {
    const { accountName, accountKey } = azurite;
    const permissions = ContainerSASPermissions.parse("cw");
    const expiresOn = new Date(Date.now() + 600_000);
    const signature = generateBlobSASQueryParameters(
      { containerName: "data", permissions, expiresOn },
      new StorageSharedKeyCredential(accountName, accountKey),
    );
    const output = (containerUrl: string) => ({
      resourceFiles: [
        { httpUrl: `${container.url}/in/a.txt`, filePath: "a.txt", fileMode: "0400" },
      ],
      outputFiles: [
        {
          filePattern: "../std*.txt",
          destination: { container: { containerUrl, path: "logs" } },
          uploadOptions: { uploadCondition: "taskcompletion" as const },
        },
      ],
    });
    const done = await run(
      "/usr/bin/tr a-z A-Z",
      output(`${container.url}?${signature.toString()}`),
    );
    expect(done).toMatchObject({ executionInfo: { exitCode: 0, result: "success" } });
    const names: string[] = [];
    for await (const { name } of container.listBlobsFlat({ prefix: "logs/" })) names.push(name);
    expect(names).toEqual(["logs/stderr.txt", "logs/stdout.txt"]);
    const commandLine = "/bin/true";
    await fixture.client.task.add("job", { id: "no", commandLine, ...output(container.url) });
    expect(await fixture.completed("no")).toMatchObject({
      executionInfo: {
        exitCode: 0,
        result: "failure",
        failureInfo: { code: "FileUploadAccessDenied" },
      },
    });
  });

  it("that are missing fail a task before it starts", async () => {
    const done = await run("/bin/true", {
      resourceFiles: [{ httpUrl: `${container.url}/none`, filePath: "a.txt" }],
    });
    expect(done).toMatchObject({ executionInfo: { failureInfo: { code: "BlobNotFound" } } });
  });

  it("are mounted, in both directions", async () => {
    const { accountName, accountKey, blobEndpoint } = azurite;
    const simulator = await startBatchSimulator({ blobEndpoints: { [accountName]: blobEndpoint } });
    try {
      const client = clientFor(simulator);
      const azureBlobFileSystemConfiguration = {
        accountName,
        accountKey,
        containerName: "data",
        relativeMountPath: "data",
      };
      await client.pool.add({
        ...POOL,
        mountConfiguration: [{ azureBlobFileSystemConfiguration }],
      });
      await client.job.add(JOB);
      const copy = "cd $AZ_BATCH_NODE_MOUNTS_DIR/data && tr a-z A-Z < in/a.txt > out.txt";
      await client.task.add("job", { id: "task", commandLine: `/bin/sh -c '${copy}'` });
      await simulator.until("the end", ({ jobs }) => jobs[0]?.tasks[0]?.["state"] === "completed");
      const blob = await container.getBlobClient("out.txt").downloadToBuffer();
      expect(blob.toString()).toBe("HELLO");
      expect(JSON.stringify(await client.pool.get("pool"))).not.toContain(accountKey);
    } finally {
      await simulator.close();
    }
  });
});

/** A kernel that mounts for us is more than a Debian package. */
const canMount = process.getuid?.() === 0 && existsSync("/dev/fuse");

const reason = canMount ? "" : " [needs root and /dev/fuse]";

describe.runIf(canMount)(`a true mount${reason}`, () => {
  systemSuite("fuse", "through the kernel", () => {
    it("keeps what was closed when its node is taken away, for the next node to see", async () => {
      const azurite = await startAzurite();
      const { accountName, accountKey, blobEndpoint } = azurite;
      const credential = new StorageSharedKeyCredential(accountName, accountKey);
      const work = new ContainerClient(`${blobEndpoint}/work`, credential);
      await work.create();
      const simulator = await startBatchSimulator({
        blobEndpoints: { [accountName]: blobEndpoint },
        throughKernel: true,
      });
      try {
        const client = clientFor(simulator);
        const azureBlobFileSystemConfiguration = {
          accountName,
          accountKey,
          containerName: "work",
          relativeMountPath: "work",
        };
        const mountConfiguration = [{ azureBlobFileSystemConfiguration }];
        const targets = { targetDedicatedNodes: 0, targetLowPriorityNodes: 1 };
        await client.pool.add({ ...POOL, ...targets, mountConfiguration });
        await client.job.add(JOB);
        const go = 'cd "$AZ_BATCH_NODE_MOUNTS_DIR/work"; [ -e saved ] && exec cat saved';
        const commandLine = `/bin/sh -c '${go}; echo step 5 >saved; echo saved; sleep 600'`;
        await client.task.add("job", { id: "task", commandLine });
        const blob = work.getBlobClient("saved");
        while (!(await blob.exists())) await new Promise((resolve) => setTimeout(resolve, 20));
        const node = String(simulator.inspect().pools[0]?.nodes[0]?.["id"]);
        simulator.preempt(node);
        simulator.restore(node);
        await simulator.until(
          "the end",
          ({ jobs }) => jobs[0]?.tasks[0]?.["state"] === "completed",
        );
        const { readableStreamBody } = await client.file.getFromTask("job", "task", "stdout.txt");
        const chunks: Buffer[] = [];
        for await (const chunk of readableStreamBody ?? []) chunks.push(Buffer.from(chunk));
        expect(Buffer.concat(chunks).toString()).toBe("step 5\n");
      } finally {
        await simulator.close();
        await azurite.close();
      }
      expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(simulator.directory);
    });
  });
});
