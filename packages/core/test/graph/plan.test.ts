import { describe, expect, test } from "vitest";
import { neighbours } from "../../src/graph/adjacency.ts";
import { compilePlan, complete, decodePlan, encodePlan, type Plan } from "../../src/graph/plan.ts";
import { guessDurations, rank } from "../../src/graph/rank.ts";
import { select } from "../../src/graph/select.ts";
import { taskId } from "../../src/model/ids.ts";
import type { Task } from "../../src/model/task.ts";
import { at, graphOf, task } from "./sketch.ts";

const tasks: readonly Task[] = [
  task("report", { deps: ["out/"], targets: ["report.md"], backend: "cluster" }),
  task("fetch", { targets: ["raw"], priority: 3 }),
  task("train@seed=0", { template: "train", deps: ["raw"], targets: ["out/0"], maxParallel: 2 }),
  task("train@seed=1", { template: "train", deps: ["raw"], targets: ["out/1"], maxParallel: 2 }),
  task("all", { after: [taskId("report")], actions: [] }),
];

function planOf(
  selectors: readonly string[],
  durations: Readonly<Record<string, number>> = {},
): Plan {
  const graph = graphOf(tasks);
  const selection = select(graph, selectors);
  if (!selection.ok) throw new Error("unreachable");
  const byKey = new Map(tasks.map(({ id, key }) => [key, durations[id]]));
  return compilePlan(graph, selection.value, { durationMs: (key) => byKey.get(key) });
}

describe("plans", () => {
  test("tasks come after what they depend on, otherwise as in the file", () => {
    const plan = planOf(["all"]);
    expect(plan.tasks.map(({ id }) => id)).toEqual([
      "fetch",
      "train@seed=0",
      "train@seed=1",
      "report",
      "all",
    ]);
    expect([...neighbours(plan.dependencies, 3)]).toEqual([1, 2]);
    expect([...plan.orderOnly]).toEqual([0, 0, 0, 0, 1]);
    expect(plan.asked).toEqual([4]);
  });

  test("the machine is given what it needs of each task", () => {
    const { machine, backends, extraPools } = planOf(["all"]);
    expect(backends).toEqual(["local", "cluster"]);
    expect(machine.backends).toEqual([{ local: true }, { local: false }]);
    expect(extraPools).toEqual({ "max_parallel of train": 2 });
    expect(
      machine.tasks.map(({ backend, group, grouping, pools }) => ({
        backend,
        group,
        grouping,
        pools,
      })),
    ).toEqual([
      { backend: 0, group: 0, grouping: false, pools: {} },
      { backend: 0, group: 1, grouping: false, pools: { "max_parallel of train": 1 } },
      { backend: 0, group: 1, grouping: false, pools: { "max_parallel of train": 1 } },
      { backend: 1, group: 2, grouping: false, pools: {} },
      { backend: 0, group: 3, grouping: true, pools: {} },
    ]);
    expect([...machine.dependencyCount]).toEqual([0, 1, 1, 2, 1]);
    expect([...machine.dependentStart]).toEqual([0, 2, 3, 4, 5, 5]);
    expect([...machine.dependents]).toEqual([1, 2, 3, 3, 4]);
  });

  test("a task weighs as much as the longest chain of past durations behind it", () => {
    const durations = { fetch: 10, "train@seed=0": 100, "train@seed=1": 300, report: 7, all: 0 };
    expect([...planOf(["all"], durations).machine.weight]).toEqual([317, 107, 307, 7, 0]);
  });

  test("unknown durations are guessed from the template, then from everything", () => {
    const guessed = guessDurations([
      { template: "a", durationMs: 5 },
      { template: "a", durationMs: undefined },
      { template: "b", durationMs: undefined },
      { template: "c", durationMs: 50 },
      { template: "c", durationMs: 40 },
    ]);
    expect([...guessed]).toEqual([5, 5, 40, 50, 40]);
    expect([...guessDurations([{ template: "a", durationMs: undefined }])]).toEqual([1000]);
    expect([
      ...rank(new Float64Array(0), { start: new Int32Array(1), targets: new Int32Array(0) }),
    ]).toEqual([]);
  });

  test("one backend can be asked for everything", () => {
    const graph = graphOf(tasks);
    const selection = select(graph, []);
    const plan = selection.ok
      ? compilePlan(graph, selection.value, { backend: "cluster" })
      : undefined;
    expect(plan?.backends).toEqual(["cluster"]);
  });

  test("values of a task are found even when that task was left out", () => {
    const use = { name: "lr", from: [taskId("search")], gathered: false, key: "lr", span: at(0) };
    const graph = graphOf([
      task("search", { values: "best.json" }),
      task("final", { uses: [use] }),
    ]);
    const selection = select(graph, ["final"], { only: true });
    const plan = selection.ok ? compilePlan(graph, selection.value) : undefined;
    expect(plan?.tasks.map(({ id }) => id)).toEqual(["final"]);
    expect(plan?.valuesFiles).toEqual({ search: "best.json" });
  });

  test("a plan survives being written and read", () => {
    const plan = planOf(["all"], { fetch: 12 });
    const again = complete(decodePlan(encodePlan(plan)), {
      durationMs: (key) => (key === tasks[1]?.key ? 12 : undefined),
    });
    expect(again).toEqual(plan);
  });

  test("a field that only the first task has is not given to the others by writing and reading", () => {
    const mixed = [
      task("a", { timeoutMs: 5, values: "a.json", container: "image" }),
      task("b", { env: { A: "1" } }),
    ];
    const graph = graphOf(mixed);
    const selection = select(graph, []);
    const plan = selection.ok ? compilePlan(graph, selection.value) : undefined;
    expect(plan && decodePlan(encodePlan(plan)).tasks).toEqual(mixed);
  });

  test("a plan without tasks is a plan", () => {
    const graph = graphOf([]);
    const plan = compilePlan(graph, { tasks: [], asked: [] });
    expect(complete(decodePlan(encodePlan(plan)))).toEqual(plan);
  });
});
