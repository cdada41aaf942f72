/** The Azure Batch backend keeps what every backend promises, over a simulated account that runs its tasks for real. */
import { describeBackend, shellFixture } from "@flow/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Azurite, startAzurite } from "./azurite.ts";
import { captureAll, openBackend, processesOf } from "./open-backend.ts";
import { type BatchSimulator, startBatchSimulator } from "./simulator/index.ts";

let simulator: BatchSimulator;
let azurite: Azurite;

beforeAll(async () => {
  azurite = await startAzurite();
  simulator = await startBatchSimulator();
});

afterAll(async () => {
  await azurite.close();
  await simulator.close();
});

describeBackend({ describe, it, expect }, "azure-batch, simulated", {
  hasConnection: true,
  capabilities: {
    reattach: true,
    idempotentSubmit: true,
    requeues: false,
    sharedFilesystem: false,
    logs: "stream",
    gpus: true,
    local: false,
    maxBatch: 10_000,
    visibilityDelayMs: 0,
    pollIntervalMs: 50,
    pushes: false,
  },
  async make() {
    const fixture = await shellFixture((root) =>
      openBackend({ simulator, azurite }, root, {}, captureAll(root)),
    );
    return {
      ...fixture,
      living: (job) => processesOf(job.key),
      connect(connected) {
        if (connected) simulator.faults.calm();
        else
          simulator.faults.inject({
            fault: { kind: "disconnect" },
            times: Number.POSITIVE_INFINITY,
          });
      },
      [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose](),
    };
  },
});
