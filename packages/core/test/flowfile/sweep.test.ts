import { fc, test as check } from "@fast-check/vitest";
import { describe, expect, test } from "vitest";
import { renderDiagnostics } from "../../src/diagnostics/render.ts";
import { buildGraph } from "../../src/graph/build.ts";
import type { Task } from "../../src/model/task.ts";
import { MemoryFileSystem } from "../../src/testing/memory-file-system.ts";
import { type Given, load, project } from "./loading.ts";

const given = (...args: readonly string[]): Given => ({
  params: args.map((text) => {
    if (text.startsWith("@")) return { rows: `/p/${text.slice(1)}` };
    const equals = text.indexOf("=");
    return { name: text.slice(0, equals), raw: text.slice(equals + 1) };
  }),
});

const FILE = `
params: {lr: 0.1, seed: 1, epochs: 5, wd: 0, opt: {lr: 1., name: sgd}}
tasks:
  prep: {targets: [data.txt], actions: ["prep \${{ target }}"]}
  train:
    deps: [data.txt]
    targets: ["out/\${{ params.lr }}-\${{ params.seed }}.pt"]
    budget: [epochs]
    actions: ["train \${{ params.lr }} \${{ params.seed }} \${{ params.epochs }} \${{ target }}"]
  eval:
    deps: {model: {task: train}}
    targets: ["out/\${{ params.lr }}-\${{ params.seed }}.json"]
    actions: ["eval \${{ deps.model }} \${{ target }}"]
  report:
    deps: {scores: {task: "eval[*]"}}
    targets: [report.txt]
    actions: ["report \${{ deps.scores }}"]
  probe: {deps: [data.txt], actions: ["probe \${{ params.opt.lr }}"]}
  single: {targets: [one.txt], actions: ["one \${{ params.wd }} \${{ target }}"]}
`;

const tasks = (args: readonly string[], more: Given = {}): readonly Task[] =>
  project(FILE, { ...given(...args), ...more }).tasks;
const ids = (args: readonly string[], template: string, more: Given = {}): readonly string[] =>
  tasks(args, more).flatMap((task) => (task.template === template ? task.id : []));
const commandOf = (args: readonly string[], id: string): unknown =>
  tasks(args).find((task) => task.id === id)?.actions[0]?.text;
const keysOf = (args: readonly string[], template: string): readonly string[] =>
  tasks(args).flatMap((task) => (task.template === template ? task.key : []));

describe("several values on the command line", () => {
  test("multiply the tasks that name the parameter, and no others", () => {
    expect(ids(["lr=0.1,0.01", "seed=1..2"], "train")).toEqual([
      "train@lr=0.1,seed=1",
      "train@lr=0.1,seed=2",
      "train@lr=0.01,seed=1",
      "train@lr=0.01,seed=2",
    ]);
    expect(ids(["lr=0.1,0.01"], "prep")).toEqual(["prep"]);
    expect(ids(["lr=0.1,0.01"], "report")).toEqual(["report"]);
  });

  test("reach the program as they were written", () => {
    expect(commandOf(["lr=10.,1e-3", "opt.lr=10.,1."], "train@lr=10.")).toBe(
      "train 10. 1 5 out/10.-1.pt",
    );
    expect(commandOf(["opt.lr=10.,1."], "probe@opt.lr=10.")).toBe("probe 10.");
    expect(tasks(["opt.lr=10.,1."]).find(({ id }) => id === "probe@opt.lr=10.")?.params).toEqual({
      lr: "0.1",
      seed: "1",
      epochs: "5",
      wd: "0",
      "opt.lr": "10.",
      "opt.name": "sgd",
    });
  });

  test("pair what is taken one-to-one and are gathered where all members are asked for", () => {
    const sweep = ["lr=0.1,0.01"];
    expect(commandOf(sweep, "eval@lr=0.01")).toBe("eval out/0.01-1.pt out/0.01-1.json");
    expect(commandOf(sweep, "report")).toBe("report out/0.1-1.json out/0.01-1.json");
  });

  test("may be zipped, be lists, hold commas, and be given anew", () => {
    expect(ids(["lr|seed=0.1|1,0.01|2"], "train")).toEqual([
      "train@lr=0.1,seed=1",
      "train@lr=0.01,seed=2",
    ]);
    expect(ids(["opt.lr=[1, 2],[3.]"], "probe")).toEqual([
      "probe@opt.lr=%5B1%2C%202%5D",
      "probe@opt.lr=%5B3.0%5D",
    ]);
    expect(commandOf(["opt.lr=[1, 2],[3.]"], "probe@opt.lr=%5B1%2C%202%5D")).toBe("probe 1 2");
    expect(commandOf(["opt.lr=a\\,b,c"], "probe@opt.lr=a%2Cb")).toBe("probe a,b");
    expect(ids(["lr=1,2", "lr=3"], "train")).toEqual(["train@lr=3"]);
    expect(ids(["lr|seed=1|1,2|2", "seed=7"], "train")).toEqual([
      "train@lr=1,seed=7",
      "train@lr=2,seed=7",
    ]);
  });

  test("may come from a file with a row per combination", () => {
    const csv = { "rows.csv": '\uFEFFlr,seed\r\n0.1,1\r\n"1e-3",2\r\n\r\n' };
    expect(ids(["@rows.csv"], "train", { ...given("@rows.csv"), files: csv })).toEqual([
      "train@lr=0.1,seed=1",
      "train@lr=1e-3,seed=2",
    ]);
    const yaml = { "rows.yaml": "- {lr: 10., opt: {lr: 1}}\n- {lr: 2, opt: {lr: 1}}\n" };
    const more = { ...given("@rows.yaml"), files: yaml };
    expect(ids(["@rows.yaml"], "train", more)).toEqual(["train@lr=10.", "train@lr=2"]);
    expect(ids(["@rows.yaml"], "probe", more)).toEqual(["probe@opt.lr=1"]);
  });

  test("are multiplied with a matrix", () => {
    const text =
      "params: {lr: 1}\ntasks: {a: {matrix: {m: [x, y]}, actions: ['${{ matrix.m }} ${{ params.lr }}']}}";
    expect(project(text, given("lr=1,2")).tasks.map(({ id }) => id)).toEqual([
      "a@m=x,lr=1",
      "a@m=x,lr=2",
      "a@m=y,lr=1",
      "a@m=y,lr=2",
    ]);
  });

  test("go to the include whose parameter it is", () => {
    const files = {
      "d.yaml": "params: {n: 1}\ntasks: {a: {targets: ['o-${{ params.n }}'], actions: [make]}}\n",
    };
    const text =
      "include: {d: d.yaml}\nparams: {n: 5}\ntasks: {b: {deps: {x: {task: d/a}}, actions: ['${{ deps.x }}']}}\n";
    const found = project(text, { ...given("d.n=1,2"), files }).tasks;
    expect(found.map(({ id, targets }) => [id, targets[0]?.path])).toEqual([
      ["b@d.n=1", undefined],
      ["b@d.n=2", undefined],
      ["d/a@d.n=1", "o-1"],
      ["d/a@d.n=2", "o-2"],
    ]);
    expect(found.map(({ params }) => params["n"])).toEqual(["5", "5", "1", "2"]);
  });

  test("that make one target are refused, with what the path lacks", () => {
    const result = load(FILE, given("wd=0,1,2"));
    const fileSystem = new MemoryFileSystem();
    const graph = result.project === undefined ? undefined : buildGraph(result.project, fileSystem);
    const diagnostics = graph?.ok === false ? graph.error : result.diagnostics;
    expect(renderDiagnostics(diagnostics, result.sources)).toBe(
      `flow.yaml:19:22: error: Both \`single@wd=0\` and \`single@wd=1\` make \`one.txt\`. [overlapping-targets]
  19 |   single: {targets: [one.txt], actions: ["one \${{ params.wd }} \${{ target }}"]}
     |                      ^^^^^^^
  fix: Write \`\${{ params.wd }}\` in the path, so that each has its own.`,
    );
  });
});

describe("a selector", () => {
  const selected = (text: string, ...axes: readonly (readonly [string, string, string])[]) =>
    load(text, { params: axes.map(([template, axis, value]) => ({ template, axis, value })) });

  test("gives its values to parameters, and none to a task that has such an axis", () => {
    const one = selected(FILE, ["train", "lr", "10."], ["train", "seed", "3"]).project?.tasks;
    expect(one?.find(({ template }) => template === "train")?.id).toBe("train@lr=10.,seed=3");
    const two = selected(FILE, ["train", "lr", "1"], ["train", "lr", "2"]).project?.tasks;
    expect(two?.filter(({ template }) => template === "train")).toHaveLength(2);
    const text = `params: {seed: 1}
tasks:
  m: {matrix: {zip: {seed: [5, 6], a: [1, 2]}}, actions: ["\${{ matrix.seed }}"]}
  e: {each: m, actions: ["\${{ matrix.seed }}"]}
  p: {actions: ["\${{ params.seed }}"]}
`;
    for (const template of ["m", "e", "nothing"]) {
      const { project: found } = selected(text, [template, "seed", "5"]);
      expect(found?.tasks.map(({ id }) => id).at(-1)).toBe("p");
    }
    expect(selected(text, ["p", "seed", "5"]).project?.tasks.at(-1)?.id).toBe("p@seed=5");
  });

  test("that names no parameter is no error of the file", () => {
    expect(selected(FILE, ["train", "rate", "1"]).diagnostics).toEqual([]);
  });
});

describe("a combination", () => {
  test("is the same task in a sweep, alone, by default and after the default has changed", () => {
    const [first, second] = keysOf(["lr=0.1,0.01", "seed=1..2"], "train");
    expect(keysOf([], "train")).toEqual([first]);
    expect(keysOf(["seed=1", "lr=0.1"], "train")).toEqual([first]);
    expect(keysOf(["seed=2"], "train")).toEqual([second]);
    const edited = project(FILE.replace("lr: 0.1,", "lr: 0.01,"), given("lr=0.1")).tasks;
    expect(edited.find(({ template }) => template === "train")?.key).toBe(first);
  });

  test("is the same with any budget, and in any order of the arguments", () => {
    expect(keysOf(["epochs=50"], "train")).toEqual(keysOf([], "train"));
    expect(new Set(keysOf(["seed=1,2", "lr=1,2"], "train"))).toEqual(
      new Set(keysOf(["lr=1,2", "seed=1,2"], "train")),
    );
    expect(new Set(ids(["seed=1,2", "lr=1,2"], "train"))).toEqual(
      new Set(ids(["lr=1,2", "seed=1,2"], "train")),
    );
  });

  test("with no path of its own is one task whose recipe changes", () => {
    expect(ids(["wd=5"], "single")).toEqual(["single"]);
    expect(keysOf(["wd=5"], "single")).toEqual(keysOf([], "single"));
  });

  test("without targets is known by the parameters its recipe names", () => {
    expect(keysOf(["opt.lr=2"], "probe")).not.toEqual(keysOf([], "probe"));
    expect(keysOf(["opt.lr=1."], "probe")).toEqual(keysOf([], "probe"));
    expect(keysOf(["opt.name=adam"], "probe")).toEqual(keysOf([], "probe"));
  });

  const value = fc.stringMatching(/^[a-z0-9]\.?[a-z0-9]{0,2}$/);
  check.prop([fc.uniqueArray(value, { minLength: 2, maxLength: 5 }), fc.nat()], { numRuns: 50 })(
    "alone is the one of its sweep",
    (values, pick) => {
      const one = values[pick % values.length] ?? "";
      const [alone] = keysOf([`lr=${one}`], "train");
      const swept = keysOf([`lr=${values.join(",")}`, "seed=1,2"], "train");
      expect(swept[values.indexOf(one) * 2]).toBe(alone);
      expect(new Set(swept).size).toBe(values.length * 2);
    },
  );
});
