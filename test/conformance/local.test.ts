/** The local backend keeps what every backend promises, however it starts an attempt's shell. */

import {
  type BackendContext,
  backendName,
  type Capabilities,
  nodeClock,
  silentLog,
} from "@flow/core";
import { describeBackend, shellFixture } from "@flow/core/testing";
import { describe, expect, it } from "vitest";
import { openLocal } from "../../packages/backend-local/src/backend.ts";
import type { LocalOptions } from "../../packages/backend-local/src/options.ts";

const capabilities: Capabilities = {
  reattach: true,
  idempotentSubmit: true,
  requeues: false,
  sharedFilesystem: true,
  logs: "stream",
  gpus: false,
  local: true,
  maxBatch: 10_000,
  visibilityDelayMs: 0,
  pollIntervalMs: 100,
  pushes: true,
};

const context = (root: string): BackendContext<LocalOptions> => ({
  name: backendName("local"),
  options: { cpusMilli: undefined, memoryBytes: undefined },
  root,
  stateDirectory: root,
  ports: { clock: nodeClock, log: silentLog, env: process.env },
});

for (const [name, sharesShells] of [
  ["local, in shells that live on", true],
  ["local, each attempt in a shell of its own", false],
] as const)
  describeBackend({ describe, it, expect }, name, {
    capabilities,
    hasConnection: false,
    make: () => shellFixture(async (root) => openLocal(context(root), { sharesShells })),
  });
