/** Many tasks cost few calls: what matters where calls are counted and throttled. */
import { writeFileSync } from "node:fs";
import { ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { describe, expect } from "vitest";
import { flowTest } from "../rig/flow-test.ts";
import { useServices } from "./account.ts";
import { keysFor, optionsFor } from "./open-backend.ts";

const services = useServices();
/** The same with a thousand: ten calls. */
const TASKS = 300;
const POLL_MS = 500;

describe("many tasks", () => {
  flowTest(
    "are added a hundred at a time, watched by one list per question, and share archives",
    async ({ project }) => {
      const { simulator, azurite } = services;
      Object.assign(project.env, keysFor(services));
      const options = optionsFor(services, { poll: `${POLL_MS}ms` });
      const azure = { type: "azure-batch", ...options };
      // No node ever comes: what counts is how tasks are sent and watched.
      simulator.setAllocation({ dedicated: 0, lowPriority: 0 });
      const matrix = { n: `1..${TASKS}` };
      const tasks = { work: { backend: "azure", matrix, actions: ["true"] } };
      writeFileSync(
        project.path("flow.yaml"),
        JSON.stringify({ version: 1, backends: { azure }, tasks }),
      );
      const flow = project.startRun();
      await simulator.until("all tasks", ({ jobs }) => jobs[0]?.tasks.length === TASKS);
      const calls = (name: string) =>
        simulator.exchanges.filter(({ operation }) => operation === name).map(({ at }) => at);
      expect(calls("Task_AddCollection").length).toBeLessThanOrEqual(TASKS / 100 + 1);
      expect(calls("Task_Get")).toEqual([]);
      await simulator.until("questions", () => calls("Task_List").length >= 3);
      const lists = calls("Task_List");
      for (const [index, at] of lists.slice(1).entries())
        expect(at - (lists[index] ?? 0)).toBeGreaterThan(POLL_MS / 2);
      await flow.kill();
      const { jobs } = simulator.inspect();
      const container = String(jobs[0]?.["id"]).replace(/^(flow-[0-9a-f]{8}).*$/, "$1");
      const credential = new StorageSharedKeyCredential(azurite.accountName, azurite.accountKey);
      const client = new ContainerClient(`${azurite.blobEndpoint}/${container}`, credential);
      const archives: string[] = [];
      for await (const { name } of client.listBlobsFlat({ prefix: "objects/" }))
        archives.push(name);
      expect(archives.map((name) => name.replace(/-[0-9a-f]+/, ""))).toEqual([
        "objects/code.tar",
        "objects/support.tar",
      ]);
      expect((await project.run("azure", "gc")).code).toBe(0);
    },
  );
});
