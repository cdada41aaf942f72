/** `flow drill` on a cluster: the scheduler's own restarts count as the task's. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";
import { startCluster } from "./cluster.ts";

const main = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));
const scripts = fileURLToPath(new URL("../../workflows/preempt", import.meta.url));

const file = `version: 1
backends:
  cluster: {type: slurm, poll: 300ms, mode: job}
tasks:
  count:
    backend: cluster
    checkpoint: true
    targets: [out.txt]
    actions: ["sh preempt/count.sh 30 out.txt"]
`;

systemSuite("slurm", "a drill on a cluster", () => {
  it("kills and limits a task that survives both", async () => {
    const folder = mkdtempSync(join(tmpdir(), "flow-drill-"));
    const cluster = await startCluster();
    try {
      writeFileSync(join(folder, "flow.yaml"), file);
      cpSync(scripts, join(folder, "preempt"), { recursive: true });
      const args = ["drill", "count", "--ways", "kill,limit", "--at", "30%", "--json"];
      const text = execFileSync(process.execPath, [main, ...args], {
        cwd: folder,
        env: cluster.env,
        encoding: "utf8",
      });
      expect(JSON.parse(text)).toMatchObject([
        {
          task: "count",
          trials: [
            { way: "kill", problems: [] },
            { way: "limit", problems: [] },
          ],
        },
      ]);
    } finally {
      cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
