/** The example of docs/backends.md is a backend like any other, and stands there as it is here. */

import { readFileSync } from "node:fs";
import { backendName, nodeClock, silentLog } from "@flow/core";
import { describeBackend, shellFixture } from "@flow/core/testing";
import { describe, expect, it } from "vitest";
import { backend } from "./cpu-backend.ts";

describeBackend({ describe, it, expect }, "cpu", {
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
    pollIntervalMs: 100,
    pushes: true,
  },
  hasConnection: false,
  make: () =>
    shellFixture(async (root) => {
      const opened = await backend.open({
        name: backendName("cpu"),
        options: { cpus: 2 },
        root,
        stateDirectory: root,
        ports: { clock: nodeClock, log: silentLog, env: process.env },
      });
      if (!opened.ok) throw new Error(opened.error);
      return opened.value;
    }),
});

it("refuses options with their place", () => {
  expect(backend.parseOptions({ cpus: 0 })).toEqual({
    ok: false,
    error: [{ path: ["cpus"], message: "must be a number above 0" }],
  });
});

it("is the example of the page", () => {
  const here = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");
  expect(here("../../docs/backends.md")).toContain(here("./cpu-backend.ts"));
});
