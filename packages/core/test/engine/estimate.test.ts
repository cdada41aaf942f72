import { expect, test } from "vitest";
import { estimateRun } from "../../src/engine/estimate.ts";
import { buildGraph } from "../../src/graph/build.ts";
import { compilePlan, type Plan } from "../../src/graph/plan.ts";
import { MemoryFileSystem } from "../../src/testing/index.ts";
import { project, task } from "./tasks.ts";

function planOf(...tasks: Parameters<typeof project>[1]): Plan {
  const graph = buildGraph(project("/p", tasks), new MemoryFileSystem());
  if (!graph.ok) throw new Error(JSON.stringify(graph.error));
  const all = [...graph.value.order];
  return compilePlan(graph.value, { tasks: all, asked: all });
}

const took = (...names: readonly (readonly [ReturnType<typeof task>, number])[]) => ({
  durationMs: (key: string) => names.find(([one]) => one.key === key)?.[1],
});

const NO_POOLS = { slots: 2, cpusMilli: undefined, memoryBytes: undefined, pools: {} };

test("without any history there is no estimate", () => {
  expect(estimateRun(planOf(task("a", { run: "x" })), took(), NO_POOLS)).toBeUndefined();
});

test("what must run is the least, everything the most, never less than the longest chain", () => {
  const a = task("a", { run: "x", targets: ["a"] });
  const b = task("b", { run: "x", deps: ["a"], targets: ["b"] });
  const c = task("c", { run: "x", template: "b" });
  const plan = planOf(a, b, c);
  // b ran for 300 ms; c, of the same template, never: it will, for about as long.
  expect(estimateRun(plan, took([a, 100], [b, 300]), NO_POOLS)).toEqual([300, 400]);
  expect(estimateRun(plan, took([a, 100], [b, 300], [c, 50]), NO_POOLS)).toEqual([0, 400]);
});

test("a pool that lets one through at a time makes it longer", () => {
  const tasks = ["a", "b", "c"].map((name) => task(name, { run: "x", pools: { one: 1 } }));
  const past = took(...tasks.map((each) => [each, 100] as const));
  expect(estimateRun(planOf(...tasks), past, { ...NO_POOLS, slots: 9, pools: { one: 1 } })).toEqual(
    [0, 300],
  );
});
