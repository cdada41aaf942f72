import { describe, expect, test } from "vitest";
import type { Task } from "../../src/model/task.ts";
import { shell } from "../engine/tasks.ts";
import { Bench, done, train } from "./bench.ts";

describe("the recipe", () => {
  test("every part of it counts, with what it was and what it is", async () => {
    const bench = await done({ ...train, env: { LR: "0.1", OLD: "x" } });
    const [action] = train.actions;
    const changes: readonly (readonly [Partial<Task>, string | readonly string[]])[] = [
      [{ env: { LR: "0.1", OLD: "x" } }, "fresh"],
      [
        { env: { LR: "0.2" } },
        ["environment LR changed: 0.1 → 0.2", "environment OLD is gone, was x"],
      ],
      [{ cwd: "src" }, ["working directory changed: . → src"]],
      [{ container: "python:3" }, ["container is new: python:3"]],
      [{ actions: [shell("train a.csv"), shell("more")] }, ["command 2 is new: more"]],
      [{ actions: action ? [{ ...action, shell: "bash" }] : [] }, ["shell changed: sh → bash"]],
    ];
    for (const [change, expected] of changes) {
      const verdict = await bench.verdict({ ...train, env: { LR: "0.1", OLD: "x" }, ...change });
      expect(verdict).toEqual(expected);
    }
  });

  test("policy, placement and words never count", async () => {
    const bench = await done(train);
    const other: Task = {
      ...train,
      desc: "other words",
      tags: ["x"],
      priority: 9,
      backend: "cluster",
      timeoutMs: 5,
      retries: { ...train.retries, max: 9 },
      resources: { ...train.resources, cpusMilli: 8000, gpusMilli: 1000 },
      stop: { signal: "SIGINT", graceMs: 1 },
      hidden: true,
      finally: [shell("clean up")],
    };
    expect(await bench.verdict(other)).toBe("fresh");
  });

  test("a long command that changed near its end shows where", async () => {
    const long = (end: string): Task => ({
      ...train,
      actions: [shell(`run ${"x".repeat(200)} --lr ${end}`)],
    });
    const bench = await done(long("0.1"));
    expect(await bench.verdict(long("0.2"))).toEqual([
      "command 1 changed: …xxxxxxxxxxxx --lr 0.1 → …xxxxxxxxxxxx --lr 0.2",
    ]);
  });

  test("tracked variables, commands and texts count by their value", async () => {
    const tracked: Task = {
      ...train,
      track: [
        { kind: "env", name: "CUDA" },
        { kind: "cmd", command: "python -V", shell: "sh" },
        { kind: "text", text: "v1" },
      ],
    };
    const bench = new Bench({ "a.csv": "1" });
    bench.env["CUDA"] = "12";
    bench.answers.set("python -V", { code: 0, stdout: "3.11", message: "" });
    await bench.run(tracked, () => bench.write("model", "m"));
    expect(await bench.verdict(tracked)).toBe("fresh");
    bench.env["CUDA"] = "13";
    bench.answers.set("python -V", { code: 0, stdout: "3.12", message: "" });
    expect(await bench.verdict(tracked)).toEqual([
      "tracked env CUDA changed: 12 → 13",
      "tracked cmd python -V changed: 3.11 → 3.12",
    ]);
    bench.answers.delete("python -V");
    expect(await bench.verdict(tracked)).toEqual([
      "The tracked command `python -V` of `train` failed: it exited with 127.",
    ]);
  });

  test("a raised budget is a promotion, a lowered one nothing, and with another reason just one more", async () => {
    const epochs = (value: string): Task => ({
      ...train,
      budget: ["epochs"],
      budgetValues: { epochs: value },
    });
    const bench = await done(epochs("5"));
    const raised = await bench.inspect(epochs("10"));
    expect(raised).toMatchObject({ verdict: "stale", promote: true });
    expect(await bench.verdict(epochs("10"))).toEqual(["budget epochs raised: 5 → 10"]);
    expect(await bench.verdict(epochs("3"))).toBe("fresh");
    bench.write("a.csv", "2");
    expect(await bench.inspect(epochs("10"))).toMatchObject({ verdict: "stale", promote: false });
  });

  test("the work of the last success stands while only targets are lost or the budget is raised", async () => {
    const epochs = (value: string, sketch: Partial<Task> = {}): Task => ({
      ...train,
      budget: ["epochs"],
      budgetValues: { epochs: value },
      ...sketch,
    });
    const bench = await done(epochs("5"));
    bench.remove("model");
    expect(await bench.inspect(epochs("5"))).toMatchObject({ promote: false, resumes: true });
    expect(await bench.inspect(epochs("10"))).toMatchObject({ promote: true, resumes: true });
    const always = { always: true };
    expect(await bench.inspect(epochs("10", always))).toMatchObject({ promote: true });
    expect(await bench.inspect(epochs("5", always))).toMatchObject({ resumes: false });
    const forced = { isForced: () => true };
    expect(await bench.inspect(epochs("10"), forced)).toMatchObject({ resumes: false });
    bench.write("a.csv", "2");
    expect(await bench.inspect(epochs("10"))).toMatchObject({ promote: false, resumes: false });
  });

  test("a budget in a variable counts by its name only", async () => {
    const epochs = (value: string): Task => ({
      ...train,
      env: { EPOCHS: value },
      envRecipe: { EPOCHS: "${{ params.epochs }}" },
      budget: ["epochs"],
      budgetValues: { epochs: value },
    });
    const bench = await done(epochs("5"));
    expect(await bench.verdict(epochs("3"))).toBe("fresh");
    expect(await bench.inspect(epochs("10"))).toMatchObject({ verdict: "stale", promote: true });
  });

  test("attempts have one identity exactly while recipe, deps and values are the same", async () => {
    const bench = new Bench({ "a.csv": "1" });
    const identity = async (one: Task): Promise<string> => {
      const inspection = await bench.inspect(one);
      return inspection.verdict === "impossible" ? "" : inspection.inputs.identity;
    };
    const first = await identity(train);
    expect(
      await identity({ ...train, budget: ["e"], budgetValues: { e: "9" }, timeoutMs: 3 }),
    ).toBe(first);
    expect(await identity({ ...train, env: { A: "1" } })).not.toBe(first);
    bench.write("a.csv", "2");
    expect(await identity(train)).not.toBe(first);
  });
});
