/** The GPU backend keeps what every backend promises, with jobs that wait for leases of a real broker. */

import { type Backend, type BackendContext, backendName, nodeClock, silentLog } from "@flow/core";
import { describeBackend, shellFixture } from "@flow/core/testing";
import { describe, expect, it } from "vitest";
import { openGpu } from "../../packages/backend-gpu/src/backend.ts";
import type { GpuOptions } from "../../packages/backend-gpu/src/options.ts";
import { BrokerRig } from "../gpu/broker-rig.ts";
import { fakeGpu } from "../gpu/fake-gpus.ts";
import { systemSuite } from "../rig/system.ts";

const capabilities = {
  reattach: true,
  idempotentSubmit: true,
  requeues: false,
  sharedFilesystem: true,
  logs: "stream",
  gpus: true,
  local: true,
  maxBatch: 10_000,
  visibilityDelayMs: 0,
  pollIntervalMs: 1000,
  pushes: true,
} as const;

const context = (root: string, env: BrokerRig["env"]): BackendContext<GpuOptions> => ({
  name: backendName("gpu"),
  options: { gpus: [], ids: "uuid" },
  root,
  stateDirectory: root,
  ports: { clock: nodeClock, log: silentLog, env },
});

const GPUS = Array.from({ length: 8 }, (_, index) => ({
  id: fakeGpu(index).id,
  index,
  model: fakeGpu(index).model,
  capacityBytes: 24 * 2 ** 30,
  single: false,
  unusable: undefined,
  group: "bridge",
}));

/** The suite's jobs ask for nothing; here each asks for a GPU. */
function asking(backend: Backend): Backend {
  const submit = backend.submit.bind(backend);
  return Object.assign(backend, {
    submit: (jobs: Parameters<Backend["submit"]>[0], signal: AbortSignal) =>
      submit(
        jobs.map((job) => ({ ...job, resources: { ...job.resources, gpusMilli: 1000 } })),
        signal,
      ),
  });
}

systemSuite("cc", "with simulated GPUs", () => {
  describeBackend({ describe, it, expect }, "gpu", {
    capabilities,
    hasConnection: false,
    async make() {
      const rig = await BrokerRig.make(8);
      const fixture = await shellFixture(async (root) =>
        asking(openGpu(context(root, rig.env), GPUS)),
      );
      const end = fixture[Symbol.asyncDispose].bind(fixture);
      return Object.assign(fixture, {
        async [Symbol.asyncDispose]() {
          await end();
          await rig[Symbol.asyncDispose]();
        },
      });
    },
  });
});
