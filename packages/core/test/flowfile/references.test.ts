import { describe, expect, test } from "vitest";
import type { Dep } from "../../src/model/task.ts";
import { project, task } from "./loading.ts";

const paths = (deps: readonly Dep[]): readonly string[] =>
  deps.map((dep) => (dep.kind === "glob" ? dep.pattern : dep.path));

const TRAIN = `
tasks:
  train:
    matrix: {m: [a, b], s: [1, 2]}
    targets: {model: "out/\${{ matrix.m }}\${{ matrix.s }}", log: "log/\${{ matrix.m }}\${{ matrix.s }}"}
`;

describe("a dep", () => {
  test("is a file, a directory, a glob, some keys of a file, or outside the project", () => {
    const { deps } = task(
      "tasks: {t: {deps: [./a.txt, data/, 'src/**/*.py', {file: p.yaml, keys: [a.b, c]}, {path: /x/y, external: true, check: mtime, optional: true}, {path: 'we[i]rd'}]}}",
      "t",
    );
    expect(deps.map(({ kind }) => kind)).toEqual([
      "file",
      "directory",
      "glob",
      "keys",
      "file",
      "file",
    ]);
    expect(paths(deps)).toEqual(["a.txt", "data", "src/**/*.py", "p.yaml", "/x/y", "we[i]rd"]);
    expect(deps[3]).toMatchObject({ keys: ["a.b", "c"] });
    expect(deps[4]).toMatchObject({ check: "mtime", optional: true, external: true });
    expect(deps[0]).toMatchObject({ check: "content", optional: false, external: false });
  });

  test("has a name in a map, for one path or several", () => {
    const found = task(
      "tasks: {t: {deps: {one: a, many: [b, c/]}, actions: ['x ${{ deps.one }} ${{ deps.many }}']}}",
      "t",
    );
    expect(found.deps.map(({ name }) => name)).toEqual(["one", "many", "many"]);
    expect(found.actions[0]?.text).toBe("x a b c");
  });

  test("written as a map of one kind is one dep", () => {
    expect(paths(task("tasks: {t: {deps: {file: p.yaml, keys: x}}}", "t").deps)).toEqual([
      "p.yaml",
    ]);
  });

  test("may be a list that a parameter holds", () => {
    const text = "params: {files: [a, b]}\ntasks: {t: {deps: ['${{ params.files }}']}}";
    expect(paths(task(text, "t").deps)).toEqual(["a", "b"]);
  });
});

describe("a dep on another task", () => {
  test("gathers all members when no axis is shared", () => {
    const found = task(
      `${TRAIN}  report: {deps: {m: {task: train, target: model}}, actions: ["r \${{ deps.m }}"]}`,
      "report",
    );
    expect(paths(found.deps)).toEqual(["out/a1", "out/a2", "out/b1", "out/b2"]);
    expect(found.deps.map(({ from }) => from)).toContain("train@m=b,s=2");
    expect(found.actions[0]?.text).toBe("r out/a1 out/a2 out/b1 out/b2");
  });

  test("is one to one over shared axes", () => {
    const text = `${TRAIN}  eval: {each: train, deps: {m: {task: train, target: model}}, actions: ["e '\${{ deps.m }}'"]}`;
    const found = task(text, "eval@m=a,s=2");
    expect(paths(found.deps)).toEqual(["out/a2"]);
    expect(found.actions[0]?.text).toBe("e 'out/a2'");
  });

  test("gathers over the axes that are not shared", () => {
    const text = `${TRAIN}  best: {matrix: {m: [a, b]}, deps: [{task: train, target: model}]}`;
    expect(paths(task(text, "best@m=b").deps)).toEqual(["out/b1", "out/b2"]);
  });

  test("takes all targets unless one is named, by name or path", () => {
    expect(paths(task(`${TRAIN}  x: {deps: [{task: "train[m=a,s=1]"}]}`, "x").deps)).toEqual([
      "out/a1",
      "log/a1",
    ]);
    const text = `${TRAIN}  x: {deps: [{task: "train@m=a,s=1", target: log/a1}]}`;
    expect(paths(task(text, "x").deps)).toEqual(["log/a1"]);
  });

  test("gathers with [*] what would be one to one", () => {
    const text = `${TRAIN}  x: {matrix: {s: [1]}, deps: [{task: "train[*]", target: model}]}`;
    expect(task(text, "x@s=1").deps).toHaveLength(4);
  });

  test("selects members with where", () => {
    const text = `${TRAIN}  x: {deps: [{task: train, target: model, where: "m == 'b' and s < 2"}]}`;
    expect(paths(task(text, "x").deps)).toEqual(["out/b1"]);
    const own = `${TRAIN}  x: {matrix: {n: [2]}, deps: [{task: train, target: log, where: s == matrix.n}]}`;
    expect(paths(task(own, "x@n=2").deps)).toEqual(["log/a2", "log/b2"]);
  });

  test("only orders when that task has no targets", () => {
    const found = task("tasks: {setup: , t: {deps: [{task: setup}], after: [setup]}}", "t");
    expect(found.deps).toEqual([]);
    expect(found.after).toEqual(["setup"]);
  });

  test("finds a task by an alias", () => {
    const text = "tasks: {setup: {alias: s, targets: x}, t: {deps: [{task: s}]}}";
    expect(task(text, "t").deps[0]?.from).toBe("setup");
  });
});

describe("after", () => {
  test("pairs members like a dep, and gathers the rest", () => {
    const text = `${TRAIN}  x: {each: train, after: train}\n  y: {after: [train, x]}`;
    expect(task(text, "x@m=a,s=1").after).toEqual(["train@m=a,s=1"]);
    expect(task(text, "y").after).toHaveLength(8);
  });
});

describe("uses", () => {
  test("names a value of one task, or of all members", () => {
    const text = `${TRAIN}  x: {each: train, uses: {acc: train.val.acc}}\n  y: {uses: {acc: train.acc, all: {task: train}, one: "train[m=a,s=1].acc"}}`;
    expect(task(text, "x@m=a,s=1").uses[0]).toMatchObject({
      name: "acc",
      from: ["train@m=a,s=1"],
      gathered: false,
      key: "val.acc",
    });
    const { uses } = task(text, "y");
    expect(uses.map(({ name, gathered, key, from }) => [name, gathered, key, from.length])).toEqual(
      [
        ["acc", true, "acc", 4],
        ["all", true, undefined, 4],
        ["one", false, "acc", 1],
      ],
    );
  });

  test("splits at the longest name that is a task", () => {
    const text = "tasks: {a.b: , a: , t: {uses: {x: a.b.c, y: a.d}}}";
    expect(task(text, "t").uses.map(({ from, key }) => [from[0], key])).toEqual([
      ["a.b", "c"],
      ["a", "d"],
    ]);
  });
});

describe("ten thousand pairs", () => {
  test("are found without comparing all with all", () => {
    const text =
      "tasks: {a: {matrix: {s: 1..10000}, targets: ['x${{ matrix.s }}']}, b: {each: a, deps: [{task: a}]}}";
    const started = performance.now();
    expect(project(text).tasks).toHaveLength(20_000);
    // Comparing all pairs would take minutes.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});
