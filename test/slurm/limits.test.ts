/** Requests that can never start: refused before the run, or told at once where SLURM takes them. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";
import { type Cluster, startCluster } from "./cluster.ts";

const main = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));

const file = `version: 1
backends:
  cluster: {type: slurm, poll: 300ms}
defaults: {backend: cluster}
tasks:
  fits: {actions: ["true"]}
  big: {resources: {mem: 900GB}, actions: ["true"]}
  wide: {resources: {nodes: 9}, actions: ["true"]}
  long: {resources: {time: 2h}, slurm: {partition: short}, actions: ["true"]}
  held: {slurm: {sbatch: [--hold]}, actions: ["true"]}
`;

systemSuite("slurm", "what can never start", () => {
  let cluster: Cluster;
  let folder: string;
  beforeAll(async () => {
    cluster = await startCluster();
    folder = mkdtempSync(join(tmpdir(), "flow-limits-"));
    writeFileSync(join(folder, "flow.yaml"), file);
  });
  afterAll(() => {
    cluster?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    ["big", "Requested node configuration is not available (`--nodes=1 --mem=858307M"],
    ["wide", "Requested node configuration is not available (`--nodes=9"],
    ["long", "the longest time in partition short is 10 minutes, `time` asks for 120 ("],
  ])("`%s` is refused before anything starts", (task, why) => {
    const before = cluster.run("squeue", "-h", "-t", "all");
    const { status, stderr } = spawnSync(process.execPath, [main, "run", "fits", task], {
      cwd: folder,
      env: cluster.env,
      encoding: "utf8",
    });
    expect(stderr).toContain(`flow: \`${task}\` can never start on this cluster: ${why}`);
    expect(status).toBe(4);
    expect(cluster.run("squeue", "-h", "-t", "all")).toBe(before);
  });

  it("what SLURM grants nobody is an error of the flow file", () => {
    const part = `  part: {resources: {gpus: 0.5}, actions: ["true"]}\n`;
    writeFileSync(join(folder, "part.flow.yaml"), file + part);
    const args = [main, "run", "-f", "part.flow.yaml", "part"];
    const { status, stderr } = spawnSync(process.execPath, args, {
      cwd: folder,
      env: cluster.env,
      encoding: "utf8",
    });
    expect(stderr).toContain("`part` asks for a part of a GPU, and SLURM grants whole ones");
    expect(status).toBe(2);
  });

  it("a job that waits for ever is told at once, and Ctrl-C takes it away", async () => {
    const child = spawn(process.execPath, [main, "run", "held", "--output", "plain"], {
      cwd: folder,
      env: cluster.env,
    });
    const over = new Promise((resolve) => child.once("exit", resolve));
    let shown = "";
    await new Promise<void>((resolve) => {
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk) => {
          shown += chunk;
          if (shown.includes("it will not start by itself: JobHeldUser")) resolve();
        });
      child.once("exit", () => resolve());
    });
    expect(shown).toContain("held: is queued, but it will not start by itself: JobHeldUser");
    child.kill("SIGINT");
    expect(await over).toBe(130);
    expect(cluster.run("squeue", "-h", "-t", "PD,R")).toBe("");
  });
});
