/** The same counting job in sh, Node.js and Python, stopped and started in the ways a cluster does. */
import { readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { expect } from "vitest";
import type { FlowProcess } from "../../rig/flow-process.ts";
import { flowTest } from "../../rig/flow-test.ts";
import { systemSuite } from "../../rig/system.ts";

const WAYS = ["sh", "node", "python", "helper"];

/** So far that no way is there before the last one has begun. */
const FAR = ["-f", "preempt.flow.yaml", "-n", "4", "-p", "goal=60"];

/** What the latest attempt of a way printed. */
function logOf(flow: FlowProcess, way: string): string {
  const started = flow.events.findLast(
    (event) => event.type === "task/started" && event.task === `count@way=${way}`,
  );
  return started?.type === "task/started" ? readFileSync(started.stdout, "utf8") : "";
}

systemSuite("python", "workflows/preempt", () => {
  flowTest(
    "Ctrl-C lets every way save its count, and the next run goes on from there",
    async ({ project }) => {
      project.copy("workflows");
      const first = project.startRun(...FAR, "-p", "pause=0.4");
      await Promise.all(WAYS.map((way) => first.progress(`count@way=${way}`, 2)));
      first.signal("SIGINT");
      expect((await first.ended).code).toBe(130);
      for (const way of WAYS) expect(logOf(first, way)).toMatch(/asked to stop at \d+\n/);

      const second = await project.runEvents(...FAR, "-p", "pause=0.01");
      expect(second.code).toBe(0);
      for (const way of WAYS) {
        const [, stopped] = /asked to stop at (\d+)/.exec(logOf(first, way)) ?? [];
        expect(logOf(second, way)).toMatch(new RegExp(`^resuming from ${stopped}\\n`));
        expect(project.read(`out/preempt/${way}.txt`)).toBe("60\n");
      }
    },
  );

  flowTest(
    "a stop from outside requeues every way at once, free of retries",
    async ({ project }) => {
      project.copy("workflows");
      const flow = project.startRun("-f", "preempt.flow.yaml", "-n", "4", "-p", "goal=20");
      const stop = async (way: string): Promise<void> => {
        await flow.progress(`count@way=${way}`, 1);
        const { stdout } = await flow.event("task/started", { task: `count@way=${way}` });
        writeFileSync(`${dirname(stdout)}/stop`, '{"reason":"preempt"}\n');
      };
      await Promise.all(WAYS.map(stop));
      expect((await flow.ended).code).toBe(0);
      expect([...flow.tasks("task/again")].sort()).toEqual(
        [...WAYS].sort().map((way) => `count@way=${way}`),
      );
      for (const way of WAYS) {
        expect(logOf(flow, way)).toMatch(/^resuming from \d+\n/);
        expect(project.read(`out/preempt/${way}.txt`)).toBe("20\n");
      }
    },
  );
});
