/** The tutorial of `workflows/cluster-mnist.flow.yaml`, on a real cluster and without one. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";
import { type Cluster, startCluster } from "./cluster.ts";

const main = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));
const workflows = fileURLToPath(new URL("../../workflows", import.meta.url));

interface Result {
  readonly accuracy: number;
  readonly epochs: number;
  readonly slices: number;
}

/** Two seconds of training at least, however fast the machine: several slices of 0.7 seconds. */
const parameters = ["epochs=2", "digits=250", "slice=0.7", "source=made"];
const SECONDS_PER_DIGIT = 0.004;

function slowDown(script: string): void {
  const text = readFileSync(script, "utf8");
  const step = '        model["digit"] += 1\n';
  expect(text.split(step)).toHaveLength(2);
  const pause = `        __import__("time").sleep(${SECONDS_PER_DIGIT})\n`;
  writeFileSync(script, text.replace(step, step + pause));
}

function train(env: NodeJS.ProcessEnv, ...args: readonly string[]): Result {
  const folder = mkdtempSync(join(tmpdir(), "flow-tutorial-"));
  try {
    for (const name of ["cluster-mnist.flow.yaml", "cluster-mnist", "mnist"])
      cpSync(join(workflows, name), join(folder, name), { recursive: true });
    slowDown(join(folder, "cluster-mnist/train.py"));
    const file = join(folder, "cluster-mnist.flow.yaml");
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [main, "run", "-f", file, ...parameters.flatMap((each) => ["-p", each]), ...args],
      { cwd: folder, env, encoding: "utf8", timeout: 250_000 },
    );
    expect(status, stdout + stderr).toBe(0);
    return JSON.parse(readFileSync(join(folder, "out/cluster-mnist/result.json"), "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `flow sub` with the script of MLXP's quick start: what SLURM was asked for. */
function submitQuickStart(cluster: Cluster): object {
  const folder = mkdtempSync(join(tmpdir(), "flow-quickstart-"));
  try {
    cpSync(join(workflows, "mlxp-quickstart"), folder, { recursive: true });
    const { status, stderr } = spawnSync(process.execPath, [main, "sub", "script.sh"], {
      cwd: folder,
      env: cluster.env,
      encoding: "utf8",
      timeout: 250_000,
    });
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("8 done");
    const listed = cluster.run("scontrol", "show", "job", "--oneliner").split("\n");
    const jobs = listed.filter((line) => line.includes("ArrayTaskId="));
    const arrays = new Set(jobs.map((line) => /ArrayJobId=(\d+)/.exec(line)?.[1]));
    const minutes = /TimeLimit=00:(\S+)/.exec(jobs[0] ?? "")?.[1];
    return { jobs: jobs.length, arrays: arrays.size, minutes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

systemSuite("python", "cluster-mnist without a cluster", () => {
  it("trains in slices until it is done", () => {
    const { epochs, slices, accuracy } = train(process.env, "--backend", "local");
    expect(epochs).toBe(2);
    expect(slices).toBeGreaterThan(1);
    expect(accuracy).toBeGreaterThan(0.5);
  });
});

systemSuite(["python", "slurm"], "cluster-mnist on a cluster", () => {
  it("trains in slices of one requeued job, and makes one array of a script's jobs", async () => {
    const cluster = await startCluster();
    try {
      const { epochs, slices } = train(cluster.env);
      expect(epochs).toBe(2);
      expect(slices).toBeGreaterThan(1);
      const restarts = cluster.run("squeue", "-h", "-t", "all", "-O", "RestartCnt").trim();
      expect(Number(restarts)).toBe(slices - 1);
      expect(submitQuickStart(cluster)).toEqual({ jobs: 8, arrays: 1, minutes: "10:00" });
    } finally {
      cluster.stop();
    }
  });
});
