/** Tasks whose nodes are taken away go on where they had saved their work, through the whole of flow. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { BlobServiceClient } from "@azure/storage-blob";
import { describe, expect } from "vitest";
import type { FlowProcess } from "../rig/flow-process.ts";
import { type FlowProject, flowTest } from "../rig/flow-test.ts";
import { until } from "../rig/until.ts";
import { useServices } from "./account.ts";
import { keysFor, optionsFor } from "./open-backend.ts";

const services = useServices();

/** Brings a workflow of the repository into the project, with the simulated account among its backends. */
function bring(project: FlowProject, workflow: string, options: object = {}): void {
  project.copy("workflows");
  Object.assign(project.env, keysFor(services));
  const azure = { type: "azure-batch", ...optionsFor(services, options) };
  const text = `${project.read(workflow)}\nbackends: ${JSON.stringify({ azure })}\n`;
  writeFileSync(project.path(workflow), text);
}

/** Output of the task's latest attempt, as it has come so far. */
function logOf(flow: FlowProcess): string {
  const started = flow.events.findLast((event) => event.type === "task/started");
  return started?.type === "task/started" && existsSync(started.stdout)
    ? readFileSync(started.stdout, "utf8")
    : "";
}

/** Takes the node away that runs a task, and gives it back empty once flow has noticed. */
async function preemptBusyNode(flow: FlowProcess): Promise<string> {
  const { simulator } = services;
  const id = await simulator.until(
    "a busy node",
    ({ pools }) =>
      pools.flatMap(({ nodes }) => nodes).find(({ state }) => state === "running")?.["id"],
  );
  simulator.preempt(String(id));
  await flow.event("task/again");
  simulator.restore(String(id));
  return String(id);
}

const FILE = "micro-mnist.flow.yaml";

/** Steps so slow that the program does not end before its node is taken. */
const RUN = ["-f", FILE, "-p", "step_seconds=0.6", "--backend", "azure"];

/**
 * Waits until what the task holds now is saved: an archive has come that was begun after the one that
 * was perhaps under way.
 */
async function saved(): Promise<void> {
  const blobs = BlobServiceClient.fromConnectionString(services.azurite.connectionString);
  const tags = new Set<string>();
  await until("two saved states", async () => {
    for await (const { name } of blobs.listContainers())
      for await (const blob of blobs.getContainerClient(name).listBlobsFlat())
        if (blob.name.endsWith("/state.tar.gz")) tags.add(blob.properties.etag);
    // The first that is seen may be an old one.
    return tags.size >= 3;
  });
}

describe("a preempted node", () => {
  flowTest(
    "loses little of a staged run: it goes on from what was saved last",
    async ({ project }) => {
      bring(project, FILE, { priority: "low", save: "100ms" });
      const flow = project.startRun(...RUN);
      await until("step 2", () => logOf(flow).includes("step 2 of 10"));
      await saved();
      const node = await preemptBusyNode(flow);
      expect((await flow.ended).code).toBe(0);
      const again = flow.events.find((event) => event.type === "task/again");
      expect(again).toMatchObject({
        reason: "preempt",
        outcome: {
          type: "interrupted",
          cause: "preempted",
          message: `its node ${node} was preempted`,
        },
      });
      expect(logOf(flow)).toMatch(/^resuming from step ([3-9]|10)\n/);
      expect(JSON.parse(project.read("out/micro-mnist/checkpoint.json"))).toMatchObject({
        step: 10,
      });
    },
  );

  flowTest(
    "loses nothing on a mount: taken away at step 4, it resumes at step 5",
    async ({ project }) => {
      const { azurite } = services;
      const blobs = BlobServiceClient.fromConnectionString(azurite.connectionString);
      await blobs.createContainer("work");
      const mounts = { work: { blob: "work" } };
      bring(project, FILE, { priority: "low", mounts, state: "work" });
      // The program goes no further before its node is taken.
      const gate = project.path("../gate");
      const program = project.read("micro-mnist/micro-mnist.mjs");
      const wait = `while (step === 5 && !existsSync(${JSON.stringify(gate)})) await sleep(50);`;
      const held = program.replace("await sleep(stepMs);", `await sleep(stepMs);\n  ${wait}`);
      expect(held).not.toBe(program);
      project.write("micro-mnist/micro-mnist.mjs", held);
      const flow = project.startRun("-p", "step_seconds=0", "-f", FILE, "--backend", "azure");
      await until("step 4", () => logOf(flow).includes("step 4 of 10"));
      const first = logOf(flow);
      await preemptBusyNode(flow);
      writeFileSync(gate, "");
      expect((await flow.ended).code).toBe(0);
      expect([first, logOf(flow)].map((log) => log.match(/^(start|resum).*|step \d+/gm))).toEqual([
        ["starting", "step 1", "step 2", "step 3", "step 4"],
        ["resuming from step 5", "step 5", "step 6", "step 7", "step 8", "step 9", "step 10"],
      ]);
      expect(JSON.parse(project.read("out/micro-mnist/checkpoint.json"))).toMatchObject({
        step: 10,
      });
    },
  );

  flowTest(
    "that the service gives the task again while no flow is there does not begin it twice",
    async ({ project }) => {
      const { simulator } = services;
      Object.assign(project.env, keysFor(services));
      const azure = { type: "azure-batch", ...optionsFor(services, { priority: "low" }) };
      const log = project.path("begun");
      const action = `echo begun >> '${log}'; until [ -e '${project.path("let-go")}' ]; do sleep 0.1; done`;
      const work = { backend: "azure", actions: [action], requeue: "always" };
      const file = { version: 1, backends: { azure }, tasks: { work } };
      writeFileSync(project.path("flow.yaml"), JSON.stringify(file));
      const flow = project.startRun();
      await until("the program", () => existsSync(log));
      await flow.event("task/started");
      await flow.kill();
      const id = await simulator.until(
        "a busy node",
        ({ pools }) =>
          pools.flatMap(({ nodes }) => nodes).find(({ state }) => state === "running")?.["id"],
      );
      simulator.preempt(String(id));
      simulator.restore(String(id));
      await simulator.until("the end of the task's second life", ({ jobs }) =>
        jobs.flatMap(({ tasks }) => tasks).some(({ state }) => state === "completed"),
      );
      expect(readFileSync(log, "utf8")).toBe("begun\n");
      writeFileSync(project.path("let-go"), "");
      const next = await project.runEvents();
      expect(next.code).toBe(0);
      expect(readFileSync(log, "utf8")).toBe("begun\nbegun\n");
    },
  );
});
