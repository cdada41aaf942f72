/** The SLURM backend keeps what every backend promises, on a real cluster and over fakes of SLURM's commands. */
import { backend } from "@flow/backend-slurm";
import { type BackendPorts, backendName, nodeClock, silentLog } from "@flow/core";
import { describeBackend, shellFixture } from "@flow/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findProgram, systemSuite } from "../rig/system.ts";
import { type Cluster, startCluster } from "../slurm/cluster.ts";
import { type FakeSlurm, fakeSlurm } from "../slurm/fake/fake-slurm.ts";

const modes = ["job", "pilot"] as const;

function promises(title: string, mode: (typeof modes)[number], env: () => BackendPorts["env"]) {
  describeBackend({ describe, it, expect }, `${title}, ${mode} mode`, {
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
          ports: { clock: nodeClock, log: silentLog, env: env() },
        });
        if (!opened.ok) throw new Error(opened.error);
        return opened.value;
      }),
  });
}

systemSuite("slurm", "a real cluster", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());
  for (const mode of modes) promises("slurm", mode, () => cluster.env);
});

// Where there is a real one this would only say the same again.
describe.skipIf(findProgram("slurmctld") !== undefined)("commands without a cluster", () => {
  let fake: FakeSlurm;
  beforeAll(() => {
    fake = fakeSlurm();
  });
  afterAll(() => fake[Symbol.dispose]());
  for (const mode of modes) promises("slurm's commands", mode, () => fake.env);
});
