/** The nine models for real, with fewer digits and epochs than the file asks for. */
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect } from "vitest";
import type { FlowProcess } from "../../rig/flow-process.ts";
import { flowTest } from "../../rig/flow-test.ts";

const RUN = ["-f", "mnist.flow.yaml", "-n", "9", "-p", "source=made", "-p", "train_size=5000"];

const TRAINED = ["softmax", "mlp", "cnn"].flatMap((model) =>
  [0, 1, 2].map((seed) => `train@model=${model},seed=${seed}`),
);

interface Comparison {
  readonly source: { readonly kind: string };
  readonly best: { readonly model: string; readonly accuracy: number };
  readonly results: readonly { readonly epochs: number; readonly accuracy: number }[];
}

/** The most tasks that ran at one time, by the times their shells wrote down. */
async function mostAtOnce(flow: FlowProcess, tasks: readonly string[]): Promise<number> {
  const spans = await Promise.all(
    tasks.map(async (task) => {
      const { stdout } = await flow.event("task/started", { task });
      const { exit } = JSON.parse(readFileSync(`${dirname(stdout)}/result.json`, "utf8"));
      return exit as { readonly startedAt: number; readonly endedAt: number };
    }),
  );
  const runningAt = (moment: number): number =>
    spans.filter(({ startedAt, endedAt }) => startedAt <= moment && moment < endedAt).length;
  return Math.max(...spans.map(({ startedAt }) => runningAt(startedAt)));
}

describe("workflows/mnist", () => {
  flowTest(
    "learns, runs nothing twice, and goes on where more epochs are asked for",
    async ({ project }) => {
      project.copy("workflows");
      const comparison = (): Comparison => JSON.parse(project.read("out/mnist/comparison.json"));

      const first = await project.runEvents(...RUN, "-p", "epochs=1");
      expect(first.code).toBe(0);
      expect(first.tasks("task/done")).toHaveLength(21);
      expect(await mostAtOnce(first, TRAINED)).toBe(9);
      for (const task of TRAINED) {
        const metrics = await first.event("task/metrics", { task, step: 1 });
        expect(metrics.values["validation.accuracy"]).toBeGreaterThan(0.3);
        expect((await first.event("task/progress", { task })).total).toBeGreaterThan(0);
      }
      expect(comparison()).toMatchObject({ source: { kind: "made" }, results: { length: 9 } });

      const second = await project.run("run", ...RUN, "-p", "epochs=1");
      expect(second).toMatchObject({ code: 0, stdout: "" });
      expect(second.stderr).toMatch(/nothing to do/);

      const third = await project.runEvents(...RUN, "-p", "epochs=3");
      expect(third.code).toBe(0);
      expect(third.tasks("task/fresh")).toEqual(["fetch", "prepare"]);
      for (const task of TRAINED) {
        const started = await third.event("task/started", { task });
        expect(started.reason).toBe("promote");
        expect(readFileSync(started.stdout, "utf8")).toMatch(/^resuming from batch [1-9]/);
      }
      expect(comparison().results.map(({ epochs }) => epochs)).toEqual(Array(9).fill(3));
      expect(comparison().best.accuracy).toBeGreaterThan(0.9);
    },
  );

  flowTest(
    "a training that was stopped ends with the same weights as one that was not",
    async ({ project }) => {
      project.copy("workflows");
      const target = "out/mnist/models/mlp-0.safetensors";
      const run = [...RUN, "-p", "epochs=3", "train@model=mlp,seed=0"];
      expect((await project.runEvents(...run)).code).toBe(0);
      const undisturbed = readFileSync(project.path(target));
      await project.run(
        "forget",
        "-f",
        "mnist.flow.yaml",
        ...RUN.slice(4),
        "train@model=mlp,seed=0",
      );
      project.remove(target);
      project.remove(".flow/tasks");

      const stopped = project.startRun(...run);
      await stopped.event("task/progress", { task: "train@model=mlp,seed=0" });
      stopped.signal("SIGINT");
      expect((await stopped.ended).code).toBe(130);
      const resumed = await project.runEvents(...run);
      expect(resumed.code).toBe(0);
      const { stdout } = await resumed.event("task/started");
      expect(readFileSync(stdout, "utf8")).toMatch(/^resuming from batch [1-9]/);
      expect(readFileSync(project.path(target)).equals(undisturbed)).toBe(true);
    },
  );
});
