/** What flow leaves under `.flow/backends`: nothing of what is over, everything that a job still needs. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";
import { type Cluster, startCluster } from "./cluster.ts";

const main = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));

const file = `version: 1
backends:
  cluster: {type: slurm, poll: 200ms, pilot_idle: 1h}
defaults: {backend: cluster}
tasks:
  each: {matrix: {n: 1..3}, actions: ["true"]}
  short: {matrix: {n: 1..3}, slurm: {mode: pilot}, actions: ["true"]}
  wrong: {actions: ["exit 3"]}
  held: {actions: ["touch begun; until [ -e go ]; do sleep 0.05; done"]}
`;

systemSuite("slurm", "records of submissions", () => {
  let cluster: Cluster;
  let root: string;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.stop());
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "flow-records-"));
    writeFileSync(join(root, "flow.yaml"), file);
  });
  afterEach(() => {
    writeFileSync(join(root, "go"), "");
    cluster.run("scancel", "--me");
    rmSync(root, { recursive: true, force: true, maxRetries: 20 });
  });

  const flow = (...args: readonly string[]) =>
    spawnSync(process.execPath, [main, ...args], {
      cwd: root,
      env: cluster.env,
      encoding: "utf8",
      timeout: 250_000,
    });
  const records = () =>
    readdirSync(join(root, ".flow/backends/cluster")).filter((name) => name.startsWith("flow-"));
  const until = async (holds: () => boolean) => {
    const end = performance.now() + 120_000;
    while (!holds()) {
      if (performance.now() > end) throw new Error("waited two minutes in vain");
      await sleep(50);
    }
  };

  it("a run leaves none behind, and its pilots do not wait for more", async () => {
    const { status, stdout, stderr } = flow("run", "each", "short", "wrong", "--keep-going");
    expect(status, stdout + stderr).toBe(1);
    expect(records()).toEqual([]);
    await until(() => cluster.run("squeue", "-h", "-t", "PD,R") === "");
  });

  it("what a living job needs stays, what a killed flow left is removed once it is over", async () => {
    const child = spawn(process.execPath, [main, "run", "held"], {
      cwd: root,
      env: cluster.env,
      stdio: "ignore",
    });
    await until(() => existsSync(join(root, "begun")));
    const [name] = records();
    flow("clean", "--yes");
    expect(records()).toEqual([name]);
    const over = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await over;
    const early = flow("clean", "--yes");
    expect(early.stderr).toContain(
      `flow: ${root}/.flow/backends/cluster/${name} stays: its jobs have not ended\n`,
    );
    expect(early.status).toBe(1);
    expect(records()).toEqual([name]);

    writeFileSync(join(root, "go"), "");
    await until(() => cluster.run("squeue", "-h", "-t", "PD,R,CG") === "");
    const late = flow("clean", "--yes");
    expect(late.stderr).toContain("removed the records of 1 submission\n");
    expect(late.status, late.stderr).toBe(0);
    expect(readdirSync(join(root, ".flow/backends/cluster"))).toEqual([]);
    expect(flow("run", "held").status).toBe(0);
  });
});
