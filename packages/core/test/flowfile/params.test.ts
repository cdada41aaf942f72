import { describe, expect, test } from "vitest";
import { jsonLiteral, scalarValue } from "../../src/flowfile/scalar.ts";
import { project } from "./loading.ts";

const values = (
  params: string,
  given: Parameters<typeof project>[1] = {},
): Readonly<Record<string, string>> => project(`params: ${params}\ntasks: {a: }\n`, given).params;

const p = (...pairs: readonly (readonly [string, string])[]) => ({
  params: pairs.map(([name, raw]) => ({ name, raw })),
});

describe("parameters", () => {
  test("keep their text as it is written", () => {
    expect(values("{a: 10., b: 1e-3, c: 0x1F, d: '10', e: true, f: 'a # b'}")).toEqual({
      a: "10.",
      b: "1e-3",
      c: "0x1F",
      d: "10",
      e: "true",
      f: "a # b",
    });
  });

  test("may be numbers that no integer is, and integers in texts", () => {
    const text = "{a: 1e300, b: -1.5e-300, c: '123456789012345678901', d: .inf}";
    expect(values(text)).toEqual({
      a: "1e300",
      b: "-1.5e-300",
      c: "123456789012345678901",
      d: ".inf",
    });
  });

  test("are definitions when they have a type or default and no other key", () => {
    expect(values("{lr: {type: float, default: 10., min: 1, help: rate}}")).toEqual({ lr: "10." });
    expect(values("{opt: {default: adam, lr: 3}}")).toEqual({
      "opt.default": "adam",
      "opt.lr": "3",
    });
    expect(values("{opt: {min: 1, max: 3}}")).toEqual({ "opt.min": "1", "opt.max": "3" });
  });

  test("nest, and are addressed with dots", () => {
    const text =
      "params: {opt: {name: sgd, wd: {v: 1e-4}}}\ntasks: {a: {actions: ['x ${{ params.opt.wd.v }}']}}";
    expect(project(text).params).toEqual({ "opt.name": "sgd", "opt.wd.v": "1e-4" });
    expect(project(text).tasks[0]?.actions[0]?.text).toBe("x 1e-4");
  });

  test("may be lists, which are words in a command and JSON for the program", () => {
    const text = "params: {l: [10., a b, true]}\ntasks: {a: {actions: ['x ${{ params.l }}']}}";
    expect(project(text).tasks[0]?.actions[0]?.text).toBe("x 10. 'a b' true");
    expect(project(text).params).toEqual({ l: '[10.0, "a b", true]' });
  });

  test("are replaced from the command line, the last one winning", () => {
    const given = p(
      ["lr", "0.5"],
      ["o.n", "adam"],
      ["lr", "0.10"],
      ["t", "a\\,b"],
      ["l", "[1, 2.]"],
    );
    expect(values("{lr: 1, o: {n: sgd}, t: x, l: []}", given)).toEqual({
      lr: "0.10",
      "o.n": "adam",
      t: "a,b",
      l: "[1, 2.0]",
    });
  });

  test("are replaced from a parameter file, and the command line goes over it", () => {
    const given = {
      ...p(["lr", "3"]),
      paramsFile: "/p/p.yaml",
      files: { "p.yaml": "lr: 2\no: {n: adam}\n" },
    };
    expect(values("{lr: 1, o: {n: sgd}, k: 7}", given)).toEqual({ lr: "3", "o.n": "adam", k: "7" });
    const json = { paramsFile: "/p/p.json", files: { "p.json": '{"lr": 1e-3}' } };
    expect(values("{lr: 1}", json)).toEqual({ lr: "1e-3" });
  });

  test("without default are there when somebody gives them", () => {
    expect(values("{x: {type: int}}", p(["x", "3"]))).toEqual({ x: "3" });
  });

  test("of included files are addressed through the namespace", () => {
    const files = { "d.yaml": "params: {n: 1}\ntasks: {a: {actions: ['x ${{ params.n }}']}}\n" };
    const found = project("include: {d: d.yaml}\nparams: {n: 5}\n", { files, ...p(["d.n", "2"]) });
    expect(found.params).toEqual({ n: "5", "d.n": "2" });
    expect(found.tasks[0]?.actions[0]?.text).toBe("x 2");
  });
});

describe("a scalar", () => {
  test.each([
    ["10", 10],
    ["10.", 10],
    ["-.5", -0.5],
    ["1e-3", 0.001],
    ["0x1F", 31],
    ["true", true],
    ["no", "no"],
    ["~", null],
    ["", null],
    ["1_000", "1_000"],
  ])("%j means %j", (text, value) => {
    expect(scalarValue(text)).toBe(value);
  });

  test.each([
    ["10", "10"],
    ["10.", "10.0"],
    [".5", "0.5"],
    ["-.5", "-0.5"],
    ["+3", "3"],
    ["1e-3", "1e-3"],
    ["007", "7"],
    ["0x1F", "31"],
    ["true", "true"],
    ['a "b"', '"a \\"b\\""'],
    ["", "null"],
  ])("%j is %s in JSON", (text, json) => {
    expect(jsonLiteral(scalarValue(text), text)).toBe(json);
    expect(() => JSON.parse(json) as unknown).not.toThrow();
  });
});
