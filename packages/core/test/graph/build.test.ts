import { describe, expect, test } from "vitest";
import { neighbours } from "../../src/graph/adjacency.ts";
import type { TaskGraph } from "../../src/graph/build.ts";
import { buildGraph } from "../../src/graph/build.ts";
import { taskId } from "../../src/model/ids.ts";
import type { Task } from "../../src/model/task.ts";
import { at, dep, errorsOf, files, graphOf, projectOf, root, target, task } from "./sketch.ts";

/** `a > b` for every edge, `a >> b` where only the order matters. */
function edges({ network, tasks }: TaskGraph): readonly string[] {
  const name = ({ index }: { readonly index: number }): string => tasks[index]?.id ?? "";
  return network
    .mapEdges(
      (_edge, { orderOnly }, _from, _to, from, to) =>
        `${name(from)} ${orderOnly ? ">>" : ">"} ${name(to)}`,
    )
    .sort();
}

const needs = (from: string, deps: readonly string[], targets: readonly string[] = []): Task =>
  task(from, { deps, targets });

describe("edges", () => {
  test("tasks may have names that every object inherits", () => {
    const tasks = [
      needs("constructor", [], ["x"]),
      needs("toString", ["x"], ["y"]),
      needs("valueOf", ["x", "y"]),
    ];
    expect(edges(graphOf(tasks))).toEqual([
      "constructor > toString",
      "constructor > valueOf",
      "toString > valueOf",
    ]);
  });

  test("a dep on a target's path makes the maker come first", () => {
    expect(edges(graphOf([needs("b", ["x"]), needs("a", [], ["x"])]))).toEqual(["a > b"]);
  });

  test("a directory target covers what lies in it", () => {
    const tasks = [needs("a", [], ["out/"]), needs("b", ["out/deep/x"]), needs("c", ["outer/"])];
    expect(edges(graphOf(tasks, files("outer/x")))).toEqual(["a > b"]);
  });

  test("a dep on a directory waits for every task that makes something in it", () => {
    const tasks = [
      needs("a", [], ["data/x"]),
      needs("b", [], ["data/deep/y"]),
      needs("c", [], ["data2/z"]),
      needs("d", ["data/"]),
      needs("e", ["data"]),
    ];
    expect(edges(graphOf(tasks))).toEqual(["a > d", "a > e", "b > d", "b > e"]);
  });

  test("a glob waits for the makers of what it matches and of directories it may look into", () => {
    const tasks = [
      needs("a", [], ["data/x.csv"]),
      needs("b", [], ["data/x.txt"]),
      needs("c", [], ["data/sub/"]),
      needs("d", [], ["other/"]),
      needs("one", ["data/*.csv"]),
      needs("all", ["data/**/*.csv"]),
      needs("inside", ["other/*"]),
    ];
    expect(edges(graphOf(tasks))).toEqual(["a > all", "a > one", "c > all", "d > inside"]);
  });

  test("order, references and used values make edges, and a result counts more than an order", () => {
    const a = taskId("a");
    const tasks = [
      task("a", { targets: ["x"], values: "a.json" }),
      task("b", { after: [a] }),
      task("c", { after: [a], deps: ["x"] }),
      task("d", { deps: ["x"], after: [a] }),
      task("e", { uses: [{ name: "v", from: [a], gathered: false, key: undefined, span: at(3) }] }),
      task("f", { deps: ["a.json"] }),
    ];
    expect(edges(graphOf(tasks))).toEqual(["a > c", "a > d", "a > e", "a > f", "a >> b"]);
  });

  test("the order is that of the file as far as the edges allow", () => {
    const graph = graphOf([needs("z", ["x"]), needs("m", []), needs("a", [], ["x"])]);
    expect([...graph.order].map((index) => graph.tasks[index]?.id)).toEqual(["m", "a", "z"]);
  });
});

describe("what cannot be a graph", () => {
  test("two tasks that make one path are both named", () => {
    const tasks = [needs("a", [], ["x"]), task("b", { targets: [target("x", { span: at(7) })] })];
    expect(errorsOf(tasks)).toEqual([
      {
        code: "overlapping-targets",
        severity: "error",
        message: "Both `a` and `b` make `x`.",
        span: at(7),
        related: [{ span: at(1), message: "`a` is here" }],
        fix: "Give each task paths of its own.",
      },
    ]);
  });

  test("a target inside another task's target is an error, whichever is written first", () => {
    const inner = needs("inner", [], ["out/sub/x"]);
    const outer = needs("outer", [], ["out/"]);
    const message = "`out/sub/x`, made by `inner` lies inside `out`, made by `outer`.";
    expect(errorsOf([inner, outer]).map((one) => one.message)).toEqual([message]);
    expect(errorsOf([outer, inner]).map((one) => one.message)).toEqual([message]);
  });

  test("a task may list a file inside its own directory target", () => {
    expect(errorsOf([needs("a", [], ["out/", "out/model.bin"])])).toEqual([]);
  });

  test("a checkpoint directory overlaps with nothing, not even its own task's targets", () => {
    const checkpoint = (path: string): Pick<Task, "checkpoint"> => ({
      checkpoint: { path, keep: false },
    });
    const tasks = [
      task("a", { targets: ["out/"], ...checkpoint("out/ckpt") }),
      task("b", { targets: ["ck/model"], ...checkpoint("ck") }),
      task("c", { ...checkpoint("ck") }),
    ];
    expect(errorsOf(tasks).map(({ message }) => message)).toEqual([
      "Both `b` and `c` make `ck`.",
      "Checkpoint directory `out/ckpt` of `a` lies inside `out`, made by `a`.",
      "`ck/model`, made by `b` lies inside checkpoint directory `ck` of `b`.",
    ]);
  });

  test("targets that are the root, leave it, or are flow's own files are refused", () => {
    const bad = ["/", "../x", "a/../../x", "/etc/passwd", "~/x", ".flow/x", "flow.yaml"];
    const tasks = bad.map((path, index) =>
      task(`t${index}`, { targets: [target(path, { path: path === "/" ? "" : path })] }),
    );
    expect(errorsOf(tasks).map(({ message }) => message)).toEqual([
      "The target `` of `t0` is the project root itself.",
      "The target `../x` of `t1` lies outside the project root.",
      "The target `a/../../x` of `t2` lies outside the project root.",
      "The target `/etc/passwd` of `t3` lies outside the project root.",
      "The target `~/x` of `t4` lies outside the project root.",
      "The target `.flow/x` of `t5` lies in `.flow/`, which is flow's own.",
      "The target `flow.yaml` of `t6` is or contains the flow file `flow.yaml`.",
    ]);
  });

  test("a target that holds an included file is refused", () => {
    const project = projectOf([needs("a", [], ["parts/"])], {
      sources: ["flow.yaml", "parts/a.yaml"],
    });
    const built = buildGraph(project, files());
    expect(built.ok ? [] : built.error.map(({ message }) => message)).toEqual([
      "The target `parts` of `a` is or contains the flow file `parts/a.yaml`.",
    ]);
  });

  test("a task that needs what it makes is told so", () => {
    const tasks = [needs("a", ["x"], ["x"]), needs("b", ["out/*"], ["out/all"])];
    expect(errorsOf(tasks).map(({ message, fix }) => `${message} ${fix ?? ""}`)).toEqual([
      "`a` depends on `x`, which it makes itself. Narrow the dep, or write the target elsewhere.",
      "`b` depends on `out/all`, which it makes itself. Narrow the dep, or write the target elsewhere.",
    ]);
  });

  test("a cycle is shown as its shortest path with the place of each step", () => {
    const ring = (name: string, from: string, position: number): Task =>
      task(name, { deps: [{ ...dep(from), span: at(position) }], targets: [`${name}.out`] });
    const tasks = [
      needs("tail", ["c.out"]),
      ring("a", "d.out", 10),
      ring("b", "a.out", 20),
      task("c", { deps: ["b.out"], after: [taskId("d")], targets: ["c.out"] }),
      task("d", { deps: [{ ...dep("c.out"), span: at(40) }], targets: ["d.out"] }),
    ];
    const taskSpan = task("any").span;
    expect(errorsOf(tasks)).toEqual([
      {
        code: "cycle",
        severity: "error",
        message: "Tasks wait for each other: `c` → `d` → `c`.",
        span: taskSpan,
        related: [
          { span: at(40), message: "`d` needs `c` for `c.out`" },
          { span: taskSpan, message: "`c` needs `d` to be done first" },
        ],
        fix: "Remove one of these dependencies.",
      },
    ]);
  });

  test("a dep that nobody makes and that does not exist is refused with the nearest name", () => {
    const tasks = [
      needs("a", [], ["model.bin"]),
      needs("b", ["modle.bin", "data/trian.csv", "nothing/like/it"]),
      needs("c", ["modle.bin"]),
      task("d", { deps: [dep("maybe", { optional: true }), dep("*.none")] }),
    ];
    const found = errorsOf(tasks, files("data/train.csv"));
    expect(found.map(({ message, fix }) => `${message} ${fix ?? ""}`)).toEqual([
      "`b` needs `modle.bin`, which does not exist and which no task makes. Did you mean `model.bin`?",
      "`b` needs `data/trian.csv`, which does not exist and which no task makes. Did you mean `data/train.csv`?",
      "`b` needs `nothing/like/it`, which does not exist and which no task makes. Create it, add the task that makes it, or mark it `optional: true`.",
    ]);
  });

  test("a reference to a task that is not there is an error, not a crash", () => {
    const found = errorsOf([task("a", { after: [taskId("b")] })]);
    expect(found.map(({ message }) => message)).toEqual([
      "`a` refers to `b`, which is no task of this project.",
    ]);
  });
});

test("a chain of 100,000 tasks is ordered without recursion and in good time", () => {
  const size = 100_000;
  const template = task("t");
  const tasks = Array.from({ length: size }, (_, index): Task => {
    const id = taskId(`t${index}`);
    const deps = index === 0 ? [] : [dep(`out/${index - 1}`)];
    return { ...template, id, deps, targets: [target(`out/${index}`)] };
  });
  const built = buildGraph(projectOf(tasks), files());
  expect(built.ok && built.value.order.at(-1)).toBe(size - 1);
  expect(built.ok && [...neighbours(built.value.dependencies, 500)]).toEqual([499]);
});

test("100,000 globs and directory deps over 100,000 targets are not looked at pair by pair", () => {
  const size = 100_000;
  const template = task("t");
  const tasks = Array.from({ length: size }, (_, index): Task => {
    const deps = index === 0 ? [] : [dep(`out/${index - 1}/*.csv`), dep(`out/${index - 1}/`)];
    return { ...template, id: taskId(`t${index}`), deps, targets: [target(`out/${index}/a.csv`)] };
  });
  const built = buildGraph(projectOf(tasks), files());
  expect(built.ok && built.value.network.size).toBe(size - 1);
});

test("the file system is asked once for a plain dep that many tasks share", () => {
  const fileSystem = files("shared");
  let asked = 0;
  const counting = {
    stat: (path: string) => {
      if (path === `${root}/shared`) asked++;
      return fileSystem.stat(path);
    },
    list: (path: string) => fileSystem.list(path),
  };
  buildGraph(projectOf([needs("a", ["shared"]), needs("b", ["shared"])]), counting);
  expect(asked).toBe(1);
});
