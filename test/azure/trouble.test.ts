/** What is said when Azure does not give what is asked for. */
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BlobServiceClient } from "@azure/storage-blob";
import { describe, expect } from "vitest";
import { type FlowProject, flowTest } from "../rig/flow-test.ts";
import { useServices } from "./account.ts";
import { clientFor } from "./client.ts";
import { keysFor, optionsFor } from "./open-backend.ts";

const services = useServices();

function write(project: FlowProject, options: object, task: object = {}): void {
  Object.assign(project.env, keysFor(services));
  const azure = { type: "azure-batch", ...optionsFor(services, options) };
  const work = {
    backend: "azure",
    actions: ["echo made > ${{ target }}"],
    targets: ["made.txt"],
    ...task,
  };
  writeFileSync(
    project.path("flow.yaml"),
    JSON.stringify({ version: 1, backends: { azure }, tasks: { work } }),
  );
}

describe("nodes that do not come", () => {
  flowTest("are explained with what can be done", async ({ project }) => {
    const { simulator } = services;
    simulator.setAllocation({ dedicated: 0, code: "AllocationFailed" });
    write(project, {});
    const flow = project.startRun();
    const warning = await flow.event("warning");
    expect(warning.message).toMatch(
      /^is queued, but no nodes: .*\(AllocationFailed\)\. Azure has no such machines there just now: try another `vm_size` or region, or wait\.$/,
    );
    await flow.kill();
    simulator.setAllocation({});
    await project.run("azure", "gc");
  });

  flowTest(
    "because of their start command are explained, and its output can be seen",
    async ({ project }) => {
      write(project, { start: "echo no such package >&2; exit 7", pool: "shared" });
      const flow = project.startRun();
      const warning = await flow.event("warning");
      expect(warning.message).toMatch(/its start command ended with 7 \(StartTaskFailed\)/);
      const { pools } = services.simulator.inspect();
      const [pool] = pools;
      const node = String(pool?.nodes[0]?.["id"]);
      const shown = await project.run("azure", "nodes", String(pool?.["id"]), node);
      expect(shown.stdout).toBe("no such package\n");
      await flow.kill();
      await project.run("azure", "gc");
    },
  );
});

describe("a node that cannot fetch", () => {
  /** Starts a run, removes these blobs before a node is there, and lets nodes come. */
  async function runWithout(prefix: string, project: FlowProject) {
    const { simulator, azurite } = services;
    simulator.setAllocation({ dedicated: 0 });
    const flow = project.startRun();
    const pool = await simulator.until("a task in a pool without nodes", ({ jobs, pools }) =>
      (jobs[0]?.tasks.length ?? 0) > 0 && pools[0]?.["allocationState"] === "steady"
        ? String(pools[0]["id"])
        : undefined,
    );
    const storage = BlobServiceClient.fromConnectionString(azurite.connectionString);
    let removed = 0;
    for await (const { name } of storage.listContainers()) {
      const container = storage.getContainerClient(name);
      for await (const blob of container.listBlobsFlat({ prefix })) {
        await container.deleteBlob(blob.name);
        removed++;
      }
    }
    expect(removed).toBeGreaterThan(0);
    simulator.setAllocation({});
    await clientFor(simulator).pool.resize(pool, { targetDedicatedNodes: 1 });
    return flow;
  }

  flowTest("the code costs no retry: it is sent again for another attempt", async ({ project }) => {
    write(project, {}, { requeue: "never" });
    const flow = await runWithout("objects/code-", project);
    expect((await flow.ended).code).toBe(0);
    expect(flow.events.find(({ type }) => type === "task/again")).toMatchObject({
      reason: "host-lost",
      outcome: {
        type: "interrupted",
        cause: "not-begun",
        message: expect.stringMatching(
          /^its task failed on Azure Batch: .*\(BlobNotFound\)\. A file the task needs was removed from storage; flow sends it again with the next attempt\. \(BlobUrl: .*\/objects\/code-[0-9a-f]{32}\.tar\)$/,
        ),
      },
    });
    expect(flow.tasks("task/again")).toHaveLength(1);
  });

  flowTest("what is uploaded to shares gets that again in the same way", async ({ project }) => {
    project.write("one.txt", "one\n");
    const shares = { mounts: { full: { files: "shared" } }, upload: { "one.txt": "full/one.txt" } };
    write(project, shares, { actions: ["cp $FLOW_MOUNT_FULL/one.txt ${{ target }}"] });
    const flow = await runWithout("objects/upload-", project);
    expect((await flow.ended).code).toBe(0);
    expect(flow.tasks("task/again")).toHaveLength(1);
    expect(project.read("made.txt")).toBe("one\n");
  });
});

describe("a quota of jobs", () => {
  flowTest("is waited for", async ({ project }) => {
    const { simulator } = services;
    const { activeJobs } = simulator.quotas;
    simulator.setQuotas({ activeJobs: 0 });
    write(project, {});
    const flow = project.startRun();
    await simulator.until("a refusal", () =>
      simulator.exchanges.some(
        ({ operation, status }) => operation === "Job_Add" && status === 409,
      ),
    );
    simulator.setQuotas({ activeJobs });
    expect((await flow.ended).code).toBe(0);
  });
});

describe("a task whose node is preempted for the second time", () => {
  flowTest("gets a dedicated one, where that is asked for", async ({ project }) => {
    const { simulator } = services;
    const hold = `until [ -e ${project.path("let-go")} ]; do sleep 0.1; done; echo made > \${{ target }}`;
    write(project, { priority: "low", dedicated_after: 2 }, { actions: [hold], requeue: "always" });
    const flow = project.startRun();
    for (const round of [1, 2]) {
      while (flow.tasks("task/started").length < round) await sleep(20);
      const busy = await simulator.until(
        "a busy node",
        ({ pools }) =>
          pools
            .flatMap(({ nodes }) => nodes)
            .find((node) => node["state"] === "running" && node["isDedicated"] === false)?.["id"],
      );
      simulator.preempt(String(busy));
      while (flow.tasks("task/again").length < round) await sleep(20);
      if (round === 1) simulator.restore(String(busy));
    }
    writeFileSync(project.path("let-go"), "");
    expect((await flow.ended).code).toBe(0);
    const last = flow.events.findLast((event) => event.type === "task/started");
    expect(last).toMatchObject({
      attempt: 3,
      reason: "preempt",
      node: expect.stringMatching(/_d$/),
    });
    await simulator.until(
      "an empty account",
      ({ jobs, pools }) => jobs.length + pools.length === 0,
    );
  });
});
