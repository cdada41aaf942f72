import { expect, test } from "vitest";
import { buildGraph } from "../../src/graph/build.ts";
import { MemoryFileSystem } from "../../src/testing/index.ts";
import { project, task } from "../engine/tasks.ts";

const made = (path: string, more: Parameters<typeof task>[1] = {}) =>
  task("make", { targets: [`${path} until used`], run: "make", ...more });

function errors(...tasks: Parameters<typeof project>[1]): readonly string[] {
  const graph = buildGraph(project("/p", tasks), new MemoryFileSystem());
  return graph.ok ? [] : graph.error.map(({ message }) => message);
}

test("who uses a temporary target is known, whatever part of it is named", () => {
  const tasks = [
    made("data"),
    task("whole", { deps: ["data"], run: "a" }),
    task("part", { deps: ["data/x"], run: "b" }),
    task("other", { targets: ["o"], run: "c" }),
  ];
  const graph = buildGraph(project("/p", tasks), new MemoryFileSystem());
  expect(graph.ok && graph.value.temporary).toEqual([{ path: "data", maker: 0, users: [1, 2] }]);
});

test("it cannot be used as part of a larger directory, where nobody would miss it", () => {
  expect(errors(made("out/big"), task("use", { deps: ["out"], run: "a" }))).toEqual([
    "`use` uses `out/big` through the directory `out/`, but `make` makes it with `keep: until_used`, so it will be removed.",
  ]);
});

test("it cannot be kept for another reason at the same time", () => {
  expect(errors(made("v.json", { values: "v.json" }))).toEqual([
    "The target `v.json` of `make` has `keep: until_used` and `values`, which other tasks read at any time.",
  ]);
  expect(errors(made("x", { protect: true }))).toEqual([
    "The target `x` of `make` has `keep: until_used` and `protect: true`, which keeps it.",
  ]);
});
