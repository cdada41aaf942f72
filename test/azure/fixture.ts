/** A simulated account for each test, with the official client and what tests often ask of both. */
import type { BatchServiceClient } from "@azure/batch";
import { afterEach, beforeEach, describe, it } from "vitest";
import { clientFor } from "./client.ts";
import {
  type BatchSimulator,
  type SimulatorOptions,
  startBatchSimulator,
} from "./simulator/index.ts";

export interface Fixture {
  simulator: BatchSimulator;
  client: BatchServiceClient;
  /** The wire form of a task once it is completed. */
  completed(taskId: string): Promise<Readonly<Record<string, unknown>>>;
  /** The wire form of a node once it is in a state. */
  node(state: string): Promise<Readonly<Record<string, unknown>> & { readonly id: string }>;
  /** A file of a task of the job `job`. */
  read(taskId: string, path: string, range?: string): Promise<string>;
}

/** Gives each test of a file an account of its own; closing it fails on anything against the specification. */
export function useSimulator(options: SimulatorOptions = {}): Fixture {
  const fixture = {} as Fixture;
  beforeEach(async () => {
    const simulator = await startBatchSimulator(options);
    const client = clientFor(simulator);
    Object.assign(fixture, { simulator, client });
  });
  afterEach(async () => {
    await fixture.simulator.close();
  });
  fixture.completed = async (taskId) =>
    await fixture.simulator.until(`the end of ${taskId}`, ({ jobs }) =>
      jobs
        .flatMap(({ tasks }) => tasks)
        .find((task) => task["id"] === taskId && task["state"] === "completed"),
    );
  fixture.node = async (state) =>
    await fixture.simulator.until(`a node that is ${state}`, ({ pools }) => {
      const found = pools.flatMap(({ nodes }) => nodes).find((node) => node["state"] === state);
      return found as (Readonly<Record<string, unknown>> & { id: string }) | undefined;
    });
  fixture.read = async (taskId, path, range) => {
    const options = range === undefined ? {} : { fileGetFromTaskOptions: { ocpRange: range } };
    const { readableStreamBody } = await fixture.client.file.getFromTask(
      "job",
      taskId,
      path,
      options,
    );
    const chunks: Buffer[] = [];
    for await (const chunk of readableStreamBody ?? []) chunks.push(Buffer.from(chunk));
    return Buffer.concat(chunks).toString();
  };
  return fixture;
}

/** A pool of one dedicated node. */
export const POOL = {
  id: "pool",
  vmSize: "Standard_D2s_v3",
  virtualMachineConfiguration: {
    imageReference: { publisher: "canonical", offer: "ubuntu", sku: "22_04-lts" },
    nodeAgentSKUId: "batch.node.ubuntu 22.04",
  },
  targetDedicatedNodes: 1,
};

/** A job on that pool. */
export const JOB = { id: "job", poolInfo: { poolId: "pool" } };

const officialData = process.env["FLOW_AZURE_OPENAPI"] ?? "";

/** A suite over the official data; skipped with a line where there is none. */
export function officialSuite(title: string, body: (folder: string) => void): void {
  if (officialData !== "") describe(title, () => body(officialData));
  else
    describe.skip(`${title} [FLOW_AZURE_OPENAPI does not name the official data]`, () => {
      it("is skipped", () => undefined);
    });
}
