import { describe, expect, test } from "vitest";
import { runId } from "../../src/model/ids.ts";
import type { Task } from "../../src/model/task.ts";
import { describeParams } from "../../src/trace/explain.ts";
import { shell } from "../engine/tasks.ts";
import { target, task } from "../graph/sketch.ts";
import { Bench, done, root, train } from "./bench.ts";

describe("fresh", () => {
  test("a task is stale until it has succeeded, then fresh", async () => {
    const bench = new Bench({ "a.csv": "1" });
    expect(await bench.verdict(train)).toEqual(["never succeeded before"]);
    await bench.run(train, () => bench.write("model", "m"));
    expect(await bench.verdict(train)).toBe("fresh");
  });

  test("a path that is named by itself and by a glob is one dep", async () => {
    const twice = task("twice", { deps: ["a.csv", "*.csv"], targets: ["model"] });
    const bench = await done(twice);
    expect(await bench.verdict(twice)).toBe("fresh");
  });

  test("targets without a record are not even read", async () => {
    const bench = new Bench({ "a.csv": "1", model: "from elsewhere" });
    await bench.verdict(train);
    expect(bench.read).toEqual(["a.csv"]);
  });

  test("a touched file is read once more, and never again after that", async () => {
    const bench = await done(train);
    bench.touch("a.csv");
    bench.touch("model");
    bench.read.length = 0;
    expect(await bench.verdict(train)).toBe("fresh");
    expect(bench.read).toEqual(["a.csv", "model"]);
    bench.read.length = 0;
    expect(await bench.verdict(train)).toBe("fresh");
    expect(bench.read).toEqual([]);
  });

  test("a clock that is wrong costs reading and changes no verdict", async () => {
    for (const wall of [() => 0, () => 9e15]) {
      const bench = await done(train);
      expect(await bench.verdict(train, { wall })).toBe("fresh");
      bench.write("a.csv", "2");
      expect(await bench.verdict(train, { wall })).toHaveLength(1);
    }
  });

  test("a changed dep is named with its old and new digest", async () => {
    const bench = await done(train);
    bench.write("a.csv", "2");
    expect(await bench.verdict(train)).toEqual(["a.csv changed: 6b86b273 → d4735e3a"]);
  });

  test("content that is back to what it was is fresh again, whatever its times", async () => {
    const bench = await done(train);
    bench.write("a.csv", "2");
    await bench.verdict(train);
    bench.write("a.csv", "1");
    expect(await bench.verdict(train)).toBe("fresh");
  });

  test("a missing target is a reason, an optional one only if it was made before", async () => {
    const bench = await done(train);
    bench.remove("model");
    expect(await bench.verdict(train)).toEqual(["model is missing"]);

    const loose = task("loose", { deps: ["a.csv"], targets: [target("plot", { optional: true })] });
    const other = new Bench({ "a.csv": "1" });
    await other.run(loose);
    expect(await other.verdict(loose)).toBe("fresh");
    await other.run(loose, () => other.write("plot", "p"));
    other.remove("plot");
    expect(await other.verdict(loose)).toEqual(["plot is missing"]);
  });

  test("targets without deps are fresh while they and the recipe stand", async () => {
    const fetch = task("fetch", { targets: ["data/"] });
    const bench = await done(fetch, {});
    expect(await bench.verdict(fetch)).toBe("fresh");
    expect(await bench.verdict({ ...fetch, actions: [shell("other")] })).toEqual([
      "command 1 changed: make fetch → other",
    ]);
  });

  test("neither targets nor deps means every time", async () => {
    const hello = task("hello");
    const bench = await done(hello, {});
    expect(await bench.verdict(hello)).toEqual([
      "has neither deps nor targets, so it runs every time",
    ]);
  });

  test("a dependent does not run again when what it needs was made again with the same bytes", async () => {
    const use = task("use", { deps: ["model"], targets: ["report"] });
    const bench = await done(train);
    await bench.run(use, () => bench.write("report", "r"));
    bench.write("a.csv", "2");
    await bench.run(train, () => bench.write("model", "made model"));
    expect(await bench.verdict(use)).toBe("fresh");
  });
});

describe("what people decide", () => {
  test("forced, always, frozen and a command of one's own", async () => {
    const bench = await done(train);
    expect(await bench.verdict(train, { isForced: () => true })).toEqual(["forced"]);
    expect(await bench.verdict({ ...train, always: true })).toEqual(["set to run always"]);
    const asking: Task = { ...train, fresh: "is-it" };
    bench.answers.set("is-it", { code: 0, stdout: "", message: "" });
    expect(await bench.verdict(asking)).toBe("fresh");
    bench.answers.set("is-it", { code: 1, stdout: "", message: "" });
    expect(await bench.verdict(asking)).toEqual(["`is-it` says so (exit 1)"]);
  });

  test("a frozen task stays as it is while its targets exist, whatever changed or is gone", async () => {
    const frozen: Task = { ...train, frozen: true };
    const bench = await done(frozen);
    bench.write("a.csv", "2");
    expect(await bench.verdict(frozen)).toBe("fresh");
    bench.remove("a.csv");
    expect(await bench.verdict(frozen, { isForced: () => true })).toBe("fresh");
    bench.write("a.csv", "1");
    bench.remove("model");
    expect(await bench.verdict(frozen)).toEqual(["model is missing"]);
  });

  test("a frozen task that never ran is fresh where its targets lie already, and else runs", async () => {
    const frozen: Task = { ...train, frozen: true };
    const bench = await done(task("other", { targets: ["other"] }));
    bench.write("a.csv", "1");
    expect(await bench.verdict(frozen)).toEqual(["never succeeded before"]);
    bench.write("model", "given");
    expect(await bench.verdict(frozen)).toBe("fresh");
  });

  test("a target edited by hand is kept and told about, and dependents see what it holds now", async () => {
    const use = task("use", { deps: ["model"], targets: ["report"] });
    const bench = await done(train);
    await bench.run(use, () => bench.write("report", "r"));
    bench.write("model", "edited");
    expect(await bench.inspect(train)).toMatchObject({
      verdict: "fresh",
      modifiedTargets: ["model"],
    });
    expect(await bench.inspect(train)).toMatchObject({ modifiedTargets: ["model"] });
    expect(await bench.verdict(use)).toEqual([expect.stringMatching(/^model changed: /)]);
    expect(await bench.verdict(train, { rebuildModified: true })).toEqual([
      "model was edited by hand",
    ]);
    expect(await bench.verdict(train, { strict: true })).toEqual([
      "`model` was edited after it was made; `flow accept` keeps it, `--rebuild-modified` makes it again.",
    ]);
  });

  test("accepting blesses what is there: an edited target, a changed recipe, a changed dep", async () => {
    const bench = await done(train);
    bench.write("model", "edited");
    bench.write("a.csv", "2");
    const changed: Task = { ...train, actions: [shell("train --better a.csv")] };
    const traces = bench.store();
    const at = { run: runId("accepted"), serial: 1, endedAt: 9 };
    const accepted = await bench.inspector({ traces }).accept(changed, at);
    expect(accepted).toMatchObject({ ok: true, value: { durationMs: 5, run: "accepted" } });
    if (accepted.ok) traces.put(train.key, accepted.value);
    traces.save();
    expect(await bench.inspect(changed)).toMatchObject({ verdict: "fresh", modifiedTargets: [] });
  });

  test("accepting what is not there is refused", async () => {
    const bench = new Bench({ "a.csv": "1" });
    const at = { run: runId("accepted"), serial: 0, endedAt: 9 };
    const accepted = await bench.inspector().accept(train, at);
    expect(accepted).toMatchObject({
      ok: false,
      error: [{ message: "Target `model` was not made." }],
    });
  });

  test("a required checksum that no longer fits is a reason", async () => {
    const bench = await done(train);
    const strict: Task = { ...train, targets: [target("model", { sha256: "0".repeat(64) })] };
    expect(await bench.verdict(strict)).toEqual([
      expect.stringMatching(/^model has SHA-256 [0-9a-f]{8}, expected 00000000$/),
    ]);
  });
});

describe("after a success", () => {
  test("every target must be there and be what was promised", async () => {
    const promised = task("t", {
      deps: ["a.csv"],
      targets: [
        "gone",
        target("empty", { nonempty: true }),
        target("none/", { nonempty: true }),
        "file/",
        "folder",
        target("sum", { sha256: "ab".repeat(32) }),
        target("maybe", { optional: true }),
      ],
    });
    const bench = new Bench({ "a.csv": "1" });
    const problems = await bench.run(promised, () => {
      bench.write("empty", "");
      bench.files.makeDirectory(`${root}/none`);
      bench.write("file", "f");
      bench.write("folder/x", "x");
      bench.write("sum", "s");
    });
    expect(problems.map(({ kind, message }) => `${kind}: ${message}`)).toEqual([
      "missing: Target `gone` was not made.",
      "bad: Target `empty` is empty.",
      "bad: Target `none` is empty.",
      "bad: Target `file` is a file, but a directory was expected.",
      "bad: Target `folder` is a directory; write `folder/` for a directory.",
      `bad: Target \`sum\` has SHA-256 043a718774c572bd8a25adbeb1bfcd5c0256ae11cecf9f9c3f925d0e52beaf89, expected ${"ab".repeat(32)}.`,
    ]);
    expect(await bench.verdict(promised)).toContain("never succeeded before");
    bench.write("gone", "");
    expect(await bench.verdict(promised)).toContain(
      "never succeeded before, though its targets are there (`flow accept` keeps them)",
    );
  });

  test("parameters are on record, so that what changed can be told", async () => {
    const bench = await done({ ...train, params: { lr: "0.1", seed: "1" } });
    const before = bench.trace(train.key)?.params ?? {};
    expect(describeParams(before, { lr: "0.2", model: "cnn" })).toEqual([
      "lr: 0.1 → 0.2",
      "model: none → cnn",
      "seed: 1 → none",
    ]);
  });
});

describe("a target whose content the disk did not have yet when the machine went down", () => {
  const [before, after] = [{ bootedAt: 6 }, { bootedAt: 8 }];

  test("is made again", async () => {
    const bench = await done(train);
    bench.lose("model");
    expect(await bench.verdict(train, after)).toEqual([
      "model lost its content when the machine went down",
    ]);
    expect(await bench.verdict(train, { ...after, strict: true })).toHaveLength(1);
  });

  test("leaves the checkpoint of the success that made it", async () => {
    const bench = await done(train);
    bench.lose("model");
    expect(await bench.inspect(train, after)).toMatchObject({ verdict: "stale", resumes: true });
  });

  test("is made again when it is a file in a directory", async () => {
    const fetch = task("fetch", { targets: ["data/"] });
    const bench = await done(fetch, {});
    bench.lose("data/x");
    expect(await bench.verdict(fetch, after)).toEqual([
      "data lost its content when the machine went down",
    ]);
  });

  test("is told from one that a person has edited since", async () => {
    const bench = await done(train);
    bench.write("model", "edited");
    expect(await bench.verdict(train, after)).toBe("fresh");
    const other = await done(train);
    other.lose("model");
    expect(await other.verdict(train, before)).toBe("fresh");
  });
});
