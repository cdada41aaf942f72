import { describe, expect, test } from "vitest";
import { project, task } from "./loading.ts";

/** Ids of the members of a task with this matrix. */
const ids = (matrix: string, top = ""): readonly string[] =>
  project(`${top}\ntasks:\n  t:\n    matrix: ${matrix}\n`).tasks.map(({ id }) => id);

describe("a matrix", () => {
  test("is the product of its axes in written order", () => {
    expect(ids("{b: [y, x], a: [1, 2]}")).toEqual([
      "t@b=y,a=1",
      "t@b=y,a=2",
      "t@b=x,a=1",
      "t@b=x,a=2",
    ]);
  });

  test("keeps values as they are written and encodes what names cannot hold", () => {
    expect(ids("{lr: [10., 1e-3, 1_000, '0.10', a b/c, 'ü,=%']}")).toEqual([
      "t@lr=10.",
      "t@lr=1e-3",
      "t@lr=1_000",
      "t@lr=0.10",
      "t@lr=a%20b%2Fc",
      "t@lr=%C3%BC%2C%3D%25",
    ]);
  });

  test("takes ranges, inclusive, also negative and inside lists", () => {
    expect(ids("{s: 1..3}")).toEqual(["t@s=1", "t@s=2", "t@s=3"]);
    expect(ids("{s: [-1..1, 7]}")).toEqual(["t@s=-1", "t@s=0", "t@s=1", "t@s=7"]);
  });

  test("takes lists and ranges from parameters", () => {
    expect(ids("{s: '${{ params.seeds }}'}", "params: {seeds: [3, 4]}")).toEqual([
      "t@s=3",
      "t@s=4",
    ]);
    expect(ids("{s: '${{ params.seeds }}'}", "params: {seeds: 1..2}")).toEqual(["t@s=1", "t@s=2"]);
  });

  test("pairs zipped axes, several zips as a product", () => {
    expect(ids("{zip: [{m: [s, l], b: [256, 64]}, {x: [1, 2], y: [3, 4]}]}")).toEqual([
      "t@m=s,b=256,x=1,y=3",
      "t@m=s,b=256,x=2,y=4",
      "t@m=l,b=64,x=1,y=3",
      "t@m=l,b=64,x=2,y=4",
    ]);
  });

  test("leaves out what exclude names, also with several values", () => {
    expect(ids("{m: [a, b], s: 1..3, exclude: [{m: a, s: [1, 2]}, {m: b, s: 2..3}]}")).toEqual([
      "t@m=a,s=3",
      "t@m=b,s=1",
    ]);
  });

  test("an include joins the combinations it does not contradict", () => {
    const text =
      "tasks:\n  t:\n    matrix: {m: [a, b], include: [{m: a, mod: A}, {extra: x}]}\n    desc: ${{ matrix.m }} ${{ matrix.extra }}\n";
    expect(project(text).tasks.map(({ id, desc, params }) => [id, desc, params])).toEqual([
      ["t@m=a", "a x", { m: "a", mod: "A", extra: "x" }],
      ["t@m=b", "b x", { m: "b", extra: "x" }],
    ]);
  });

  test("an include that joins none is a member of its own", () => {
    expect(ids("{m: [a], s: [1], include: [{s: 9, m: c, note: n}]}")).toEqual([
      "t@m=a,s=1",
      "t@m=c,s=9,note=n",
    ]);
  });

  test("can consist of includes alone", () => {
    expect(ids("{include: [{m: a, s: 1}, {m: b, s: 2}]}")).toEqual(["t@m=a,s=1", "t@m=b,s=2"]);
  });

  test("bounds how many run at once and whether one failure stops the others", () => {
    expect(
      task("tasks: {t: {matrix: {s: 1..2, max_parallel: 1, fail_fast: true}}}", "t@s=1"),
    ).toMatchObject({ maxParallel: 1, failFast: true });
  });

  test("is taken over by each, with what it includes", () => {
    const text =
      "tasks:\n  eval: {each: train, desc: '${{ matrix.mod }}'}\n  train: {matrix: {m: [a, b], include: [{m: a, mod: A}, {m: b, mod: B}]}}\n";
    expect(project(text).tasks.map(({ id, desc }) => [id, desc])).toEqual([
      ["eval@m=a", "A"],
      ["eval@m=b", "B"],
      ["train@m=a", undefined],
      ["train@m=b", undefined],
    ]);
  });

  test("an axis replaces the parameter of its name", () => {
    const text =
      "params: {lr: 1}\ntasks: {t: {matrix: {lr: [2]}, actions: ['x ${{ params.lr }}']}}";
    const found = task(text, "t@lr=2");
    expect(found.actions[0]?.text).toBe("x 2");
    expect(found.params).toEqual({ lr: "2" });
  });

  test("makes slugs that are one path segment, short and apart", () => {
    const long = "v".repeat(150);
    const slugs = project(`tasks: {t: {matrix: {x: [a/b, '${long}1', '${long}2']}}}`).tasks.map(
      ({ slug }) => slug,
    );
    expect(slugs[0]).toBe("t@x=a%2Fb");
    expect(new Set(slugs).size).toBe(3);
    for (const slug of slugs) {
      expect(slug).toMatch(/^[\w.@=,%-]+$/);
      expect(slug.length).toBeLessThanOrEqual(120);
    }
  });
});
