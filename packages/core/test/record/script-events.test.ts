import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MetricSource } from "../../src/model/task.ts";
import { nodeFileSystem } from "../../src/ports/node/file-system.ts";
import { ScriptEvents } from "../../src/record/script-events.ts";
import { task } from "../engine/tasks.ts";

let root: string;
let attempt: string;
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), "flow-events-"));
  attempt = join(root, "attempt");
  fs.mkdirSync(attempt);
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const follow = (...metrics: readonly MetricSource[]): ScriptEvents =>
  new ScriptEvents(task("t", { metrics }), attempt, `${attempt}/stdout`, root, nodeFileSystem);

const say = (file: string, text: string): void => fs.appendFileSync(join(attempt, file), text);

describe("what a program tells", () => {
  it("is read from every events file, each line once, a torn last line not yet", () => {
    const events = follow();
    say("events.0.jsonl", '{"k":"progress","done":3,"total":10,"unit":"epochs"}\n{"k":"met');
    say("events.1.jsonl", '{"k":"checkpoint","path":"c/3","step":3}\n');
    expect(events.read()).toEqual([
      { kind: "progress", done: 3, total: 10, unit: "epochs", message: undefined },
      { kind: "checkpoint", path: "c/3", step: 3 },
    ]);
    say("events.0.jsonl", 'rics","ns":"val","step":4,"v":{"acc":0.5,"name":"x"}}\n');
    expect(events.read()).toEqual([{ kind: "metrics", step: 4, values: { "val.acc": 0.5 } }]);
    expect(events.read()).toEqual([]);
  });

  it("survives garbage", () => {
    const events = follow();
    say("events.0.jsonl", '\0\0\n[1]\nnull\n{"k":7}\n{"k":"progress","done":"x"}\n\xff\n');
    expect(events.read()).toEqual([
      { kind: "progress", done: undefined, total: undefined, unit: undefined, message: undefined },
    ]);
  });

  it("may stand in its output", () => {
    const events = follow({ kind: "stdout", pattern: "loss=(?<loss>[0-9.]+)" });
    say("stdout", 'hello\n::flow {"k":"done"}\nepoch 1 loss=0.25\nloss=0.');
    expect(events.read()).toEqual([
      { kind: "done" },
      { kind: "metrics", step: undefined, values: { loss: 0.25 } },
    ]);
    expect(events.read(true)).toEqual([{ kind: "metrics", step: undefined, values: { loss: 0 } }]);
  });

  it("may be a JSON file that is rewritten, and JSON lines that grow", () => {
    const events = follow(
      { kind: "json", path: "metrics.json" },
      { kind: "jsonl", glob: "logs/*.jsonl" },
    );
    fs.mkdirSync(join(root, "logs"));
    fs.writeFileSync(join(root, "metrics.json"), '{"acc":0.5}');
    fs.writeFileSync(join(root, "logs/a.jsonl"), '{"step":1,"loss":2}\nnot json\n');
    expect(events.read()).toEqual([
      { kind: "metrics", step: undefined, values: { acc: 0.5 } },
      { kind: "metrics", step: 1, values: { loss: 2 } },
    ]);
    fs.appendFileSync(join(root, "logs/a.jsonl"), '{"step":2,"loss":1}\n');
    fs.writeFileSync(join(root, "metrics.json"), '{"acc":0.75}');
    expect(events.read()).toEqual([
      { kind: "metrics", step: undefined, values: { acc: 0.75 } },
      { kind: "metrics", step: 2, values: { loss: 1 } },
    ]);
  });

  it("is not what a file said before the attempt began", () => {
    const path = join(root, "metrics.json");
    fs.writeFileSync(path, '{"acc":0.1}');
    const old = nodeFileSystem.stat(path)?.changedNs ?? 0n;
    // The clock of files ticks slowly.
    do fs.writeFileSync(join(attempt, "attempt.json"), "{}");
    while ((nodeFileSystem.stat(join(attempt, "attempt.json"))?.changedNs ?? 0n) <= old);
    const events = follow(
      { kind: "json", path: "metrics.json" },
      { kind: "jsonl", glob: "*.json" },
    );
    expect(events.read(true)).toEqual([]);
    fs.writeFileSync(path, '{"acc":0.2}');
    expect(events.read(true)).toEqual([
      { kind: "metrics", step: undefined, values: { acc: 0.2 } },
      { kind: "metrics", step: undefined, values: { acc: 0.2 } },
    ]);
  });

  it("is read anew when a file of lines begins anew", () => {
    const path = join(root, "a.jsonl");
    const events = follow({ kind: "jsonl", glob: "a.jsonl" });
    fs.writeFileSync(path, '{"step":1,"loss":2}\n{"step":2,"loss":1}\n');
    expect(events.read()).toHaveLength(2);
    fs.writeFileSync(path, '{"step":1,"loss":9}\n');
    expect(events.read()).toEqual([{ kind: "metrics", step: 1, values: { loss: 9 } }]);
  });

  it("is progress when a JSON file has a step, and may be nested and not quite JSON", () => {
    const events = follow({ kind: "json", path: "state.json" });
    fs.writeFileSync(join(root, "state.json"), '{"step":7,"val":{"acc":0.5,"loss":NaN}}');
    expect(events.read()).toEqual([
      { kind: "metrics", step: 7, values: { "val.acc": 0.5 } },
      { kind: "progress", done: 7, total: undefined, unit: undefined, message: undefined },
    ]);
  });

  it("may be a tag", () => {
    const events = follow();
    say("events.0.jsonl", '{"k":"tag","name":"best","value":true}\n{"k":"tag","name":"bare"}\n');
    say("events.0.jsonl", '{"k":"tag","value":"x"}\n{"k":"tag","name":"n","value":[1]}\n');
    expect(events.read()).toEqual([
      { kind: "tag", name: "best", value: "true" },
      { kind: "tag", name: "bare", value: "" },
    ]);
  });
});
