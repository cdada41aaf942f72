import { describe, expect, test } from "vitest";
import type { SelectOptions } from "../../src/graph/select.ts";
import { select } from "../../src/graph/select.ts";
import type { Task } from "../../src/model/task.ts";
import { graphOf, task } from "./sketch.ts";

const member = (framework: string, seed: string): Task =>
  task(`train@framework=${framework},seed=${seed}`, {
    template: "train",
    axes: { framework, seed },
    tags: ["gpu"],
    deps: ["data/clean.csv"],
    targets: [`out/${framework}-${seed}/`],
  });

const tasks: readonly Task[] = [
  task("fetch", { targets: ["data/raw.csv"], tags: ["slow"] }),
  task("prepare", { deps: ["data/raw.csv"], targets: ["data/clean.csv"], aliases: ["prep"] }),
  member("torch", "0"),
  member("torch", "1"),
  member("jax", "1e-3"),
  task("report", { deps: ["out/"], targets: ["report.md"] }),
  task("scratch", { hidden: true, targets: ["scratch.txt"] }),
];
const graph = graphOf(tasks);

function names(selectors: readonly string[], options?: SelectOptions): readonly string[] {
  const found = select(graph, selectors, options);
  if (!found.ok) return found.error.map(({ message, fix }) => `${message} ${fix ?? ""}`);
  return found.value.tasks.map((index) => tasks[index]?.id ?? "");
}

const only = (...selectors: readonly string[]): readonly string[] =>
  names(selectors, { only: true });
const everyTrain = [
  "train@framework=torch,seed=0",
  "train@framework=torch,seed=1",
  "train@framework=jax,seed=1e-3",
];

describe("selectors", () => {
  test("a task's name selects it and all that it depends on", () => {
    expect(names(["prepare"])).toEqual(["fetch", "prepare"]);
  });

  test("with `only` the task stands alone", () => {
    expect(only("prepare")).toEqual(["prepare"]);
  });

  test("nothing selects everything that is not hidden", () => {
    expect(names([])).toEqual(["fetch", "prepare", ...everyTrain, "report"]);
  });

  test("the project's default goes before that", () => {
    const limited = graphOf(tasks, undefined, { default: ["train", "!tag:slow"] });
    const found = select(limited, [], { only: true });
    expect(found.ok && found.value.asked.map((index) => tasks[index]?.id)).toEqual(everyTrain);
  });

  test("a name in the project's default that is nowhere is said to come from there", () => {
    const found = select(graphOf(tasks, undefined, { default: ["trian"] }), []);
    expect(found.ok ? [] : found.error.map(({ message, fix }) => [message, fix])).toEqual([
      [
        "`default:` in the flow file is wrong. No task, tag or target is called `trian`.",
        "Did you mean `train`?",
      ],
    ]);
  });

  test("a template's name selects all its members, and a member's name that one", () => {
    expect(only("train")).toEqual(everyTrain);
    expect(only("train@framework=torch,seed=1")).toEqual(["train@framework=torch,seed=1"]);
  });

  test("some of the axes select every member that has these values", () => {
    expect(only("train@framework=torch")).toEqual(everyTrain.slice(0, 2));
    expect(only("train@seed=1,framework=torch")).toEqual([everyTrain[1]]);
    expect(only("train@seed=1*")).toEqual(everyTrain.slice(1));
    expect(only("tr*@seed=1e-3")).toEqual([everyTrain[2]]);
  });

  test("values are compared as they are written", () => {
    expect(only("train@seed=0.001")).toEqual([
      "No member of `train` is `train@seed=0.001`. Its axes: framework is one of torch, jax; seed is one of 0, 1, 1e-3.",
    ]);
  });

  test("a value with special characters can be written plainly or as in the member's name", () => {
    const odd = [task("t@path=a%2Cb", { template: "t", axes: { path: "a,b" } })];
    for (const text of ["t@path=a%2Cb", "t@path=a\\,b", "t@path=a?b"]) {
      const found = select(graphOf(odd), [text]);
      expect(found.ok && found.value.tasks).toEqual([0]);
    }
  });

  test("globs select by name, and hidden tasks only by their own", () => {
    expect(only("*r*")).toEqual(["prepare", ...everyTrain, "report"]);
    expect(only("sc?????")).toEqual([
      "No task, tag or target is called `sc?????`. `flow list` shows what there is.",
    ]);
    expect(only("scratch")).toEqual(["scratch"]);
  });

  test("tags and aliases select", () => {
    expect(only("tag:gpu")).toEqual(everyTrain);
    expect(only("tag:s*")).toEqual(["fetch"]);
    expect(only("prep")).toEqual(["prepare"]);
  });

  test("a target's path selects its maker, from the root or from where one stands", () => {
    expect(only("./data/clean.csv")).toEqual(["prepare"]);
    expect(only("/project/report.md")).toEqual(["report"]);
    expect(only("out/torch-0/model.bin")).toEqual([everyTrain[0]]);
    expect(only("out/")).toEqual(everyTrain);
    expect(only("out/torch-*")).toEqual(everyTrain.slice(0, 2));
    expect(names(["clean.csv"], { directory: "data", only: true })).toEqual(["prepare"]);
  });

  test("a task's name goes before a path", () => {
    const both = graphOf([
      task("model", { targets: ["x"] }),
      task("maker", { targets: ["model"] }),
    ]);
    const found = select(both, ["model"], { only: true });
    expect(found.ok && found.value.tasks).toEqual([0]);
  });

  test("a plus before adds upstream, after downstream", () => {
    expect(only("+prepare")).toEqual(["fetch", "prepare"]);
    expect(only("train@seed=0+")).toEqual([everyTrain[0], "report"]);
    expect(only("+train@seed=0+")).toEqual(["fetch", "prepare", everyTrain[0], "report"]);
  });

  test("an exclamation mark takes away from what is asked, not from what that needs", () => {
    expect(only("train", "!train@framework=torch")).toEqual([everyTrain[2]]);
    expect(only("!train", "!report")).toEqual(["fetch", "prepare"]);
    expect(names(["report", "!fetch"])).toEqual(["fetch", "prepare", ...everyTrain, "report"]);
    expect(only("*", "!+prepare")).toEqual([...everyTrain, "report"]);
  });

  test("what matches nothing is an error with the nearest name, for every selector at once", () => {
    expect(names(["trian", "reprot.md", "tag:gpuu", "zzzzz"])).toEqual([
      "No task, tag or target is called `trian`. Did you mean `train`?",
      "No task, tag or target is called `reprot.md`. Did you mean `report.md`?",
      "No task, tag or target is called `tag:gpuu`. Did you mean `tag:gpu`?",
      "No task, tag or target is called `zzzzz`. `flow list` shows what there is.",
    ]);
  });
});
