/** The SLURM backend keeps what every backend promises, on a real cluster. */
import { backend } from "@flow/backend-slurm";
import { backendName, nodeClock, silentLog } from "@flow/core";
import { describeBackend, shellFixture } from "@flow/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";
import { type Cluster, startCluster } from "../slurm/cluster.ts";

systemSuite("slurm", "a real cluster", () => {
  const modes = ["job", "pilot"] as const;
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());

  for (const mode of modes)
    describeBackend({ describe, it, expect }, `slurm, ${mode} mode`, {
      hasConnection: false,
      capabilities: {
        reattach: true,
        idempotentSubmit: true,
        requeues: true,
        sharedFilesystem: true,
        logs: "stream",
        gpus: true,
        local: false,
        maxBatch: 10_000,
        visibilityDelayMs: 5000,
        pollIntervalMs: 500,
        pushes: false,
      },
      make: () =>
        shellFixture(async (root) => {
          const parsed = backend.parseOptions({ poll: "500ms", mode, pilot_idle: "1s" });
          if (!parsed.ok) throw new Error("the options are not right");
          const opened = await backend.open({
            name: backendName("cluster"),
            options: parsed.value,
            root,
            stateDirectory: root,
            ports: { clock: nodeClock, log: silentLog, env: cluster.env },
          });
          if (!opened.ok) throw new Error(opened.error);
          return opened.value;
        }),
    });
});
