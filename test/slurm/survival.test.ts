/** `flow run` killed in every phase of a run on a cluster: nothing starts twice and nothing is lost. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";
import { type Cluster, startCluster } from "./cluster.ts";

const main = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));

const file = `version: 1
backends:
  cluster: {type: slurm, poll: 300ms}
defaults:
  backend: cluster
tasks:
  part:
    matrix: {n: 1..4}
    targets: ["out/\${{ matrix.n }}"]
    actions: ["echo \${{ matrix.n }} >>starts; sleep 1.5; echo \${{ matrix.n }} > \${{ target }}"]
  whole:
    deps: [{task: part}]
    targets: [whole]
    actions: ["echo whole >>starts; sleep 0.5; cat out/* >whole"]
  train:
    checkpoint: true
    targets: [model]
    actions:
      - |
        n=$(cat "$FLOW_CHECKPOINT_DIR/n" 2>/dev/null || echo 0)
        echo "train $n" >>starts
        sleep 0.5
        echo $((n + 1)) >"$FLOW_CHECKPOINT_DIR/n"
        [ "$n" -ge 1 ] || exit 75
        echo done >model
`;

const everything = ["1", "2", "3", "4", "train 0", "train 1", "whole"];

systemSuite("slurm", "flow run killed while jobs run", () => {
  let cluster: Cluster;
  let folder: string;
  beforeAll(async () => {
    cluster = await startCluster();
    folder = mkdtempSync(join(tmpdir(), "flow-survival-"));
  });
  afterAll(() => {
    cluster?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const project = (name: string): string => {
    const root = join(folder, name);
    mkdirSync(root);
    writeFileSync(join(root, "flow.yaml"), file);
    return root;
  };
  const starts = (root: string): readonly string[] =>
    readFileSync(join(root, "starts"), "utf8").trimEnd().split("\n").sort();
  const run = (root: string, ...args: readonly string[]) => flow(root, "run", ...args);
  const flow = (root: string, ...args: readonly string[]) =>
    spawnSync(process.execPath, [main, ...args], {
      cwd: root,
      env: cluster.env,
      encoding: "utf8",
      timeout: 100_000,
    });

  it.each([100, 700, 1500, 3000])(
    "%d ms after its start: the next run ends the work, each program started once",
    async (milliseconds) => {
      const root = project(`after-${milliseconds}`);
      const child = spawn(process.execPath, [main, "run"], {
        cwd: root,
        env: cluster.env,
        stdio: "ignore",
      });
      await sleep(milliseconds);
      child.kill("SIGKILL");
      const { status, stdout, stderr } = run(root);
      expect(status, stdout + stderr).toBe(0);
      expect(starts(root)).toEqual(everything);
      expect(readFileSync(join(root, "whole"), "utf8")).toBe("1\n2\n3\n4\n");
    },
  );

  it("again and again: whatever is adopted is not started anew", async () => {
    const root = project("often");
    for (const milliseconds of [600, 900, 500, 1300, 700]) {
      const child = spawn(process.execPath, [main, "run"], {
        cwd: root,
        env: cluster.env,
        stdio: "ignore",
      });
      await sleep(milliseconds);
      child.kill("SIGKILL");
    }
    const { status, stdout, stderr } = run(root);
    expect(status, stdout + stderr).toBe(0);
    expect(starts(root)).toEqual(everything);
  });

  it("a run in the background is followed from elsewhere, and goes on when that ends", async () => {
    const root = project("detached");
    const begun = run(root, "--detach");
    expect(begun.status, begun.stderr).toBe(0);
    const name = begun.stdout.trim();
    const watcher = spawn(process.execPath, [main, "attach", name], {
      cwd: root,
      env: cluster.env,
    });
    await new Promise((resolve) => watcher.stderr.once("data", resolve));
    watcher.kill("SIGKILL");
    const { status, stdout, stderr } = flow(root, "attach", name);
    expect(status, stdout + stderr).toBe(0);
    expect(starts(root)).toEqual(everything);
    expect(readFileSync(join(root, "whole"), "utf8")).toBe("1\n2\n3\n4\n");
  });

  it("Ctrl-C stops the jobs, and the next run goes on", async () => {
    const root = project("stopped");
    const child = spawn(process.execPath, [main, "run"], {
      cwd: root,
      env: cluster.env,
      stdio: "ignore",
    });
    while (!existsSync(join(root, "starts"))) await sleep(50);
    const code = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    expect(await code).toBe(130);
    // SLURM learns of an end a little later than flow.
    while (cluster.run("squeue", "-h", "-t", "R,PD") !== "") await sleep(50);
    expect(run(root).status).toBe(0);
    expect(readFileSync(join(root, "whole"), "utf8")).toBe("1\n2\n3\n4\n");
  });
});
