import { describe, expect, test } from "vitest";
import { load, project, shown, task } from "./loading.ts";

const file = (sweep: string, action = "x ${{ matrix.lr }}"): string =>
  `tasks: {t: {sweep: ${sweep}, actions: ["${action}"]}}\n`;
const ids = (text: string): readonly string[] => project(text).tasks.map(({ id }) => id);

describe("a sweep in the file", () => {
  test("is every combination, and the same tasks as a matrix of the same values", () => {
    const grid = project(file("{params: {seed: 1..2, lr: [10., 1e-3]}}")).tasks;
    expect(grid.map(({ id }) => id)).toEqual([
      "t@seed=1,lr=10.",
      "t@seed=1,lr=1e-3",
      "t@seed=2,lr=10.",
      "t@seed=2,lr=1e-3",
    ]);
    const matrix = project(
      'tasks: {t: {matrix: {lr: [10., 1e-3], seed: 1..2}, actions: ["x ${{ matrix.lr }}"]}}',
    ).tasks;
    expect(new Set(matrix.map(({ key }) => key))).toEqual(new Set(grid.map(({ key }) => key)));
    expect(grid.every(({ isTrial }) => isTrial === true)).toBe(true);
  });

  test("is a list of trials", () => {
    expect(ids(file("{method: list, params: [{lr: 1, wd: 0}, {lr: 2., wd: 1e-4}]}"))).toEqual([
      "t@lr=1,wd=0",
      "t@lr=2.,wd=1e-4",
    ]);
  });

  test("is multiplied with a matrix", () => {
    const text =
      "tasks: {t: {matrix: {m: [a, b]}, sweep: {params: {lr: [1, 2]}}, actions: ['${{ matrix.m }}']}}";
    expect(ids(text)).toEqual(["t@m=a,lr=1", "t@m=a,lr=2", "t@m=b,lr=1", "t@m=b,lr=2"]);
  });

  const random = (trials: number, seed = 0, params = "{lr: 'loguniform(1e-4, 1e-1)', n: [1, 2]}") =>
    ids(file(`{method: random, trials: ${trials}, seed: ${seed}, params: ${params}}`));

  test("draws the same trials from the same seed, and further ones for more", () => {
    expect(random(3)).toEqual(random(3));
    expect(random(20).slice(0, 3)).toEqual(random(3));
    expect(random(3, 1)).not.toEqual(random(3));
    expect(new Set(random(50)).size).toBe(50);
  });

  test("draws within the limits of each distribution", () => {
    const texts = project(
      file(
        "{method: random, trials: 200, params: {lr: 'loguniform(1e-4, 1e-1)', u: 'uniform(-1, 1)', q: 'quniform(0, 1, 0.25)', i: 'int(1, 3)', r: 5..6, c: 'choice(a, b)', one: 7}}",
      ),
    ).tasks.map(({ axes }) => axes);
    const numbers = (name: string): readonly number[] => texts.map((axes) => Number(axes[name]));
    expect(Math.min(...numbers("lr"))).toBeGreaterThanOrEqual(1e-4);
    expect(Math.max(...numbers("lr"))).toBeLessThanOrEqual(0.1);
    expect(numbers("lr").filter((lr) => lr < 3.2e-3).length).toBeGreaterThan(60);
    expect(Math.min(...numbers("u"))).toBeLessThan(-0.8);
    expect(Math.max(...numbers("u"))).toBeLessThanOrEqual(1);
    const values = (name: string): readonly string[] =>
      [...new Set(texts.map((axes) => axes[name] ?? ""))].toSorted();
    expect(values("q")).toEqual(["0", "0.25", "0.5", "0.75", "1"]);
    expect(values("i")).toEqual(["1", "2", "3"]);
    expect(values("r")).toEqual(["5", "6"]);
    expect(values("c")).toEqual(["a", "b"]);
    expect(values("one")).toEqual(["7"]);
  });

  test("of few values ends when they are used up", () => {
    expect(random(100, 0, "{lr: [1, 2], n: [1, 2]}")).toHaveLength(4);
  });

  test("may take its number of trials from a parameter, and its members each is for", () => {
    const text = `params: {n: 2}
tasks:
  t: {sweep: {method: random, trials: "\${{ params.n }}", params: {lr: 1..9}}, targets: ["o/\${{ matrix.lr }}"], actions: [x]}
  e: {each: t, deps: [{task: t}], actions: [y]}
`;
    expect(project(text).tasks.filter(({ template }) => template === "e")).toHaveLength(2);
  });

  test("has a rule to stop early", () => {
    const rule = (stop: string): unknown =>
      task(file(`{params: {lr: [1]}, objective: min metrics.val.loss, stop: ${stop}}`), "t@lr=1")
        .pruning;
    const found = { metric: "val.loss", direction: "min" };
    expect(rule("median")).toEqual({ ...found, rule: { kind: "median", after: 1, trials: 3 } });
    expect(rule("{median: {after: 5, trials: 2}}")).toEqual({
      ...found,
      rule: { kind: "median", after: 5, trials: 2 },
    });
    expect(rule("{asha: {min: 2, max: 54, eta: 3}}")).toEqual({
      ...found,
      rule: { kind: "asha", first: 2, last: 54, factor: 3 },
    });
  });
});

describe("a sweep that cannot be", () => {
  test.each([
    ["{method: random, params: {lr: [1]}}", "a random search needs the number of its `trials`"],
    [
      "{method: random, trials: 0, params: {lr: [1]}}",
      "`trials` must be a whole number from 1 to 100000, found the number `0`",
    ],
    [
      "{method: random, trials: 1, params: {lr: 'logunifrom(1, 2)'}}",
      "`logunifrom(1, 2)` cannot be drawn from: there is no distribution `logunifrom`; there are uniform, loguniform, quniform, int, choice",
    ],
    [
      "{method: random, trials: 1, params: {lr: 'loguniform(0, 1)'}}",
      "`loguniform(0, 1)` cannot be drawn from: write it as `loguniform(1e-5, 1e-1)`",
    ],
    [
      "{method: random, trials: 1, params: {lr: 'uniform(1)'}}",
      "`uniform(1)` cannot be drawn from: write it as `uniform(0.1, 0.9)`",
    ],
    ["{params: {lr: [1]}, stop: median}", "a rule to stop early needs an `objective`"],
    ["{params: {lr: [1]}, objective: acc, stop: median}", "`acc` is no objective"],
    [
      "{params: {lr: [1]}, objective: max acc, stop: {asha: {eta: 1}}}",
      "`asha` needs `eta` above 1 and `max` above `min`",
    ],
    ["{trials: 3}", "this sweep varies nothing"],
    ["{method: list, params: {lr: 1}}", "the method `list` takes a list of maps, found a map"],
    ["{params: [1]}", "`params` must be a map from name to values, found a list"],
  ])("%s", (sweep, message) => {
    const { diagnostics } = load(file(sweep));
    expect(diagnostics.map((one) => [one.code, one.message])).toEqual([["bad-sweep", message]]);
  });

  test("is shown where it is written", () => {
    expect(
      shown(
        load(
          "tasks:\n  t:\n    sweep:\n      method: random\n      trials: many\n      params: {lr: [1]}\n    actions: [x]\n",
        ),
      ),
    ).toBe(`flow.yaml:5:15: error: \`trials\` must be a whole number from 1 to 100000, found text \`many\` [bad-sweep]
  5 |       trials: many
    |               ^^^^`);
  });
});
