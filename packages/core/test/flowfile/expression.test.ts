import { fc, test as property } from "@fast-check/vitest";
import { describe, expect, test } from "vitest";
import { checkExpression } from "../../src/flowfile/expression/check.ts";
import { holds } from "../../src/flowfile/expression/condition.ts";
import type { Value } from "../../src/flowfile/expression/evaluate.ts";
import { evaluate } from "../../src/flowfile/expression/evaluate.ts";
import { parseExpression } from "../../src/flowfile/expression/parse.ts";
import { load, project, shown, task } from "./loading.ts";

const VALUES: Readonly<Record<string, Value>> = {
  "params.lr": "0.10",
  "params.name": "resnet-50",
  "params.on": "true",
  "params.off": "false",
  "params.empty": "",
  "matrix.seed": "3",
  "metrics.val.acc.max": 0.93,
  list: ["a", "2"],
};

function result(text: string): boolean | string {
  const parsed = parseExpression(text);
  if (!parsed.ok) return `${parsed.error.start}-${parsed.error.end} ${parsed.error.message}`;
  return evaluate(parsed.value, (name) => VALUES[name]);
}

describe("an expression", () => {
  test.each([
    ["params.lr < 0.2", true],
    ["params.lr == 0.1", true],
    ["params.lr == '0.1'", false],
    ["params.lr == '0.10'", true],
    ["params.lr >= 0.10 and params.lr <= 1e-1", true],
    ["matrix.seed > 10 or matrix.seed == 3", true],
    ["not matrix.seed == 3", false],
    ["!(matrix.seed == 3) || matrix.seed != 3", false],
    ["matrix.seed in [1, 2, 3]", true],
    ["matrix.seed not in [1, 2]", true],
    ["'a' in list and 2 in list", true],
    ["matrix.seed == 3 & params.lr < 1 | false", true],
    ["params.name matches '^resnet'", true],
    ['params.name == "resnet-50"', true],
    ["params.name > 'resnet'", true],
    ["params.name < 3", false],
    ["params.on", true],
    ["params.off", false],
    ["params.empty", false],
    ["params.on == true", true],
    ["missing", false],
    ["missing == null", true],
    ["missing != 3", true],
    ["missing < 3 or missing >= 3", false],
    ["metrics.val.acc.max > .9", true],
    ["true and False == false and None == null", true],
    ["-1 < -0.5", true],
    ["[1, 2] == [1, 2.0]", true],
    ["~(matrix.seed == 3) | params.name ~ '^res'", true],
    ["list contains 2 and params.name contains 'net'", true],
    ["list contains 'b'", false],
    ["missing is null and params.lr is not null", true],
    ["7199 < 2h and 1h30m == 5400 and 90.5s > 90", true],
    ["8GB == 8000000000 and 1GiB > 1GB", true],
    ["1 == 1 and 2 == 2 or 1 == 2 and 1 == 3", true],
  ])("%s is %s", (text, holds) => {
    expect(result(text)).toBe(holds);
  });

  test.each([
    ["", "0-1 the expression is empty"],
    ["a ==", "4-5 the expression ends where a value is expected"],
    ["(a == 1", "7-8 a `(` is not closed"],
    ["a == 1)", "6-7 unexpected `)`; expected an operator such as `and` or `==`"],
    ["a b", "2-3 unexpected `b`; expected an operator such as `and` or `==`"],
    ["a == 'x", "5-7 this text has no closing '"],
    ["a == ${{ b }}", "5-8 an expression names values without `${{ }}`"],
    ["a + 1 == 2", "2-3 there is no arithmetic in expressions, found `+`"],
    ["a > 3x", "4-6 `3x` is no number, duration or size"],
    ["a > 1.2.3", "4-9 `1.2.3` is no number, duration or size"],
    ["a is", "4-5 the expression ends where a value is expected"],
    ["a ? b", "2-3 `?` means nothing in an expression"],
    ["1 < a < 3", "6-7 comparisons do not chain"],
    ["a in [1, 2", "10-11 a list needs `,` or `]` here"],
    ["and a", "0-3 unexpected `and` where a value is expected"],
    ["(".repeat(105), "101-102 the expression is nested too deep"],
  ])("%s is refused", (text, problem) => {
    expect(result(text)).toBe(problem);
  });

  test("is checked for names and comparisons that make no sense", () => {
    const problems = (text: string): readonly string[] => {
      const parsed = parseExpression(text);
      if (!parsed.ok) throw new Error(parsed.error.message);
      const known = {
        has: (name: string) => name === "params.epochs",
        examples: ["params.epochs"],
      };
      return checkExpression(parsed.value, known).map(
        ({ message, fix }) => `${message}|${fix ?? ""}`,
      );
    };
    expect(problems("params.epoch > 3")).toEqual([
      "`params.epoch` means nothing here|Did you mean `params.epochs`?",
    ]);
    expect(problems("params.epochs == torch")).toEqual([
      "`torch` means nothing here|If it is text, quote it: 'torch'",
    ]);
    expect(problems("params.epochs in 3")).toEqual(["`in` needs a list|Write [3]."]);
    expect(problems("params.epochs in [1, 2] or 1 not in params.epochs")).toEqual([]);
    expect(problems("params.epochs < true")).toEqual(["`<` compares numbers or texts|"]);
    expect(problems("params.epochs matches '('")).toEqual(["`(` is not a regular expression|"]);
    expect(problems("params.epochs matches 3")).toEqual([
      "`matches` needs a regular expression in quotes|",
    ]);
    expect(problems("not (params.epochs < 3 and [params.epochs] != [4])")).toEqual([]);
  });

  property.prop([fc.string({ unit: "binary" })])("never throws, whatever the text", (text) => {
    expect(() => result(text)).not.toThrow();
  });

  property.prop([
    fc.string({
      unit: fc.constantFrom(
        "a",
        ".b",
        "(",
        ")",
        "[",
        "]",
        "'x'",
        "<",
        "==",
        "!",
        "&",
        "|",
        ",",
        " 1 ",
        " in ",
        " not ",
        " or ",
      ),
      maxLength: 30,
    }),
  ])("never throws for texts that look like one", (text) => {
    expect(["boolean", "string"]).toContain(typeof result(text));
  });
});

describe("a condition of a task", () => {
  const text = `
params: {epochs: 3, opt: {name: adam}}
tasks:
  b: {values: v.json, targets: x}
  a:
    matrix: {seed: [1, 2]}
    uses: {acc: b.val}
    when: \${{ matrix.seed < 2 and env.CI != 'yes' }}
    require:
      - uses.acc.best > 0.9
      - check: params.opt.name in ['adam', 'sgd']
        message: only these
`;

  test("is kept without braces, with its message", () => {
    const { when, require } = task(text, "a@seed=1");
    expect(when).toMatchObject({
      expression: "matrix.seed < 2 and env.CI != 'yes'",
      message: undefined,
    });
    expect(require.map(({ expression, message }) => [expression, message])).toEqual([
      ["uses.acc.best > 0.9", undefined],
      ["params.opt.name in ['adam', 'sgd']", "only these"],
    ]);
  });

  test("sees parameters, axes, the environment, the task and the values it uses", () => {
    const a = task(text, "a@seed=2");
    const judge = (expression: string): unknown =>
      holds(expression, a, { env: { CI: "1" }, uses: { acc: { best: 0.95, "a.b": [1] } } });
    const yes = { ok: true, value: true };
    expect(judge("params.epochs == 3 and params.opt.name == 'adam'")).toEqual(yes);
    expect(judge("matrix.seed == 2 and params.seed == '2'")).toEqual(yes);
    expect(judge("env.CI and env.NOPE == null")).toEqual(yes);
    expect(judge("task.id == 'a@seed=2' and task.name == 'a'")).toEqual(yes);
    expect(judge("uses.acc.best > 0.9 and 1 in uses.acc.a.b")).toEqual(yes);
    expect(judge("1 <")).toEqual({
      ok: false,
      error: "the expression ends where a value is expected",
    });
  });

  test("may be a plain true or false", () => {
    expect(project("tasks: {a: {when: false}}").tasks[0]?.when?.expression).toBe("false");
  });

  test("is shown with its place inside a longer text", () => {
    const bad =
      "tasks:\n  a:\n    require:\n      - check: >-\n          params.x == 1 and\n          env.CI\n";
    expect(shown(load(bad))).toContain("flow.yaml:4:16: error: `params.x` means nothing here");
  });
});
