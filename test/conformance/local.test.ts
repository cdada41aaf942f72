/** The local backend keeps what every backend promises. */

import { backend } from "@flow/backend-local";
import { backendName, nodeClock, silentLog } from "@flow/core";
import { describeBackend, shellFixture } from "@flow/core/testing";
import { describe, expect, it } from "vitest";

describeBackend({ describe, it, expect }, "local", {
  hasConnection: false,
  capabilities: {
    reattach: true,
    idempotentSubmit: true,
    requeues: false,
    sharedFilesystem: true,
    logs: "stream",
    gpus: false,
    local: true,
    maxBatch: 10_000,
    visibilityDelayMs: 0,
    pollIntervalMs: 1000,
    pushes: true,
  },
  make: () =>
    shellFixture(async (root) => {
      const opened = await backend.open({
        name: backendName("local"),
        options: { cpusMilli: undefined, memoryBytes: undefined },
        root,
        stateDirectory: root,
        ports: { clock: nodeClock, log: silentLog, env: process.env },
      });
      if (!opened.ok) throw new Error(opened.error);
      return opened.value;
    }),
});
