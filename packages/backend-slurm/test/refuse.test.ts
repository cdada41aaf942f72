/** What a cluster that does not see the project's folder refuses, before anything is asked of it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { backendName, nodeClock, silentLog, type Task } from "@flow/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openCluster } from "../src/backend.ts";
import { parseOptions } from "../src/options.ts";
import { slurm } from "../src/schedulers/slurm/slurm.ts";
import type { Transport } from "../src/transport/transport.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "flow-refuse-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Nothing answers, and so nothing is refused for what the cluster lacks. */
const transport: Transport = {
  run: async () => ({ code: undefined, stdout: "", stderr: "" }),
  pipe: () => Promise.reject(new Error("nothing is sent")),
  [Symbol.asyncDispose]: async () => {},
};

async function refusal(base: string | undefined, more: Partial<Task>) {
  const options = parseOptions({});
  if (!options.ok) throw new Error(JSON.stringify(options.error));
  const context = {
    name: backendName("cluster"),
    root,
    stateDirectory: join(root, ".flow"),
    ports: { clock: nodeClock, log: silentLog, env: {} },
  };
  await using backend = openCluster(context, {
    type: "slurm",
    scheduler: slurm(options.value),
    transport,
    base,
    pollMs: 1000,
    pilots: { most: 1, timeMs: 1000, idleMs: 1000 },
    pilotTime: () => undefined,
  });
  const stop = { signal: "SIGTERM", graceMs: 20_000 };
  const task = { metrics: [], targets: [], outputs: {}, backendOptions: {}, resources: {}, stop };
  return await backend.refuse?.({ ...task, ...more } as unknown as Task);
}

const PILOT = { backendOptions: { cluster: { mode: "pilot" } } };
const METRICS: Partial<Task> = { metrics: [{ kind: "jsonl", glob: "logs/*.jsonl" }] };

it("pilots, by a task's own word", async () => {
  expect(await refusal("/there", PILOT)).toBe(
    "asks for pilots (`mode: pilot`), and they need a project folder that the nodes see; leave out `folder` of the backend, or choose another `mode`",
  );
  expect(await refusal(undefined, PILOT)).toBeUndefined();
});

it("metrics in files that nobody brings home", async () => {
  expect(await refusal("/there", METRICS)).toBe(
    "has metrics in `logs/*.jsonl`, which would stay on the cluster; make their folder a target or one of `outputs`, or name the file",
  );
  expect(await refusal(undefined, METRICS)).toBeUndefined();
  expect(await refusal("/there", { ...METRICS, outputs: { logs: "logs" } })).toBeUndefined();
});
