/** A grid from the command line, a search that ends poor trials early, and MLXP's quick start. */
import { readdirSync } from "node:fs";
import { expect } from "vitest";
import { flowTest } from "../../rig/flow-test.ts";
import { systemSuite } from "../../rig/system.ts";

systemSuite("python", "workflows/sweep", () => {
  flowTest("a sweep runs each combination once and continues all of them", async ({ project }) => {
    project.copy("workflows");
    const grid = ["-f", "sweep.flow.yaml", "grid", "-p", "seed=1..2"];
    const first = await project.runEvents(...grid, "-p", "lr=0.5,0.1", "-p", "epochs=2");
    expect(first.tasks("task/done").toSorted()).toEqual([
      "grid@lr=0.1,seed=1",
      "grid@lr=0.1,seed=2",
      "grid@lr=0.5,seed=1",
      "grid@lr=0.5,seed=2",
    ]);
    const again = await project.runEvents(...grid, "-p", "lr=0.1,0.5", "-p", "epochs=2");
    expect(again.tasks("task/done")).toEqual([]);
    const longer = await project.runEvents(...grid, "-p", "lr=0.5", "-p", "epochs=3");
    expect(longer.tasks("task/done")).toHaveLength(2);
    const steps = longer.events.flatMap((event) =>
      event.type === "task/metrics" ? (event.step ?? 0) : [],
    );
    expect(steps).toEqual([3, 3]);
  });

  flowTest("a search ends, with its best trial measured", async ({ project }) => {
    project.copy("workflows");
    const run = ["-f", "sweep.flow.yaml", "-n", "4", "-p", "epochs=6"];
    const first = await project.runEvents(...run);
    expect(first.code).toBe(0);
    const ended = [...first.tasks("task/done"), ...first.tasks("task/pruned")];
    expect(ended).toHaveLength(13);
    expect(JSON.parse(project.read("out/sweep/best.json"))).toHaveProperty("test_loss");
    const second = await project.runEvents(...run);
    expect(second.tasks("task/started")).toEqual([]);
  });

  flowTest("a search by another program is asked until it has its trials", async ({ project }) => {
    project.copy("workflows");
    const { code } = await project.run(
      ...["run", "-f", "sweep.flow.yaml", "climb", "-n", "4", "-p", "epochs=1"],
    );
    expect(code).toBe(0);
    const made = readdirSync(project.path("out/sweep"));
    expect(made.filter((name) => name.startsWith("climb-"))).toHaveLength(8);
  });

  flowTest("the quick start is eight jobs, none of them twice", async ({ project }) => {
    project.copy("workflows");
    const options = { cwd: "mlxp-quickstart" };
    const args = ["sub", "--backend", "local", "-n", "4", "script.sh"];
    const first = await project.start(args, options).ended;
    expect(first.stderr).toContain("8 done");
    const logs = project.path("mlxp-quickstart/logs");
    expect(readdirSync(logs).toSorted()).toEqual(["1", "2", "3", "4", "5", "6", "7", "8"]);
    const metrics = project.read("mlxp-quickstart/logs/3/metrics/train.json").trim().split("\n");
    expect(metrics).toHaveLength(10);
    const second = await project.start(args, options).ended;
    expect(second.stderr).toContain("nothing to do: 8 tasks fresh");
  });
});
