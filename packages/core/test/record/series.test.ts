import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import type { MetricSource } from "../../src/model/task.ts";
import { nodeFileSystem } from "../../src/ports/node/file-system.ts";
import { keepSeries, readSeries, valuesOf } from "../../src/record/series.ts";
import { task } from "../engine/tasks.ts";

function attempt(metrics: readonly MetricSource[]) {
  const root = fs.mkdtempSync(join(tmpdir(), "flow-series-"));
  onTestFinished(() => fs.rmSync(root, { recursive: true, force: true }));
  const directory = join(root, "attempt");
  fs.mkdirSync(directory);
  return { root, directory, record: { task: task("t", { metrics }), root } };
}

it("metrics over time are read again from what the attempt has told", () => {
  const { record, directory } = attempt([{ kind: "stdout", pattern: "loss=(?<loss>[0-9.]+)" }]);
  fs.writeFileSync(`${directory}/stdout`, "loss=2\nhello\nloss=1\n");
  const event = JSON.stringify({ k: "metrics", step: 3, v: { acc: 0.5 } });
  fs.writeFileSync(`${directory}/events.0.jsonl`, `${event}\n`);
  const points = readSeries(record, directory, nodeFileSystem);
  expect([valuesOf(points, "loss"), valuesOf(points, "acc"), valuesOf(points, "no")]).toEqual([
    [2, 1],
    [0.5],
    [],
  ]);
  keepSeries(record, directory, nodeFileSystem);
  expect(fs.existsSync(`${directory}/metrics.jsonl`)).toBe(false);
});

it("those from files of the project outlive the files", () => {
  const { root, record, directory } = attempt([{ kind: "jsonl", glob: "m.jsonl" }]);
  fs.writeFileSync(join(root, "m.jsonl"), '{"step":1,"loss":2}\n{"step":2,"loss":1}\n');
  keepSeries(record, directory, nodeFileSystem);
  fs.writeFileSync(join(root, "m.jsonl"), '{"step":1,"loss":9}\n');
  expect(readSeries(record, directory, nodeFileSystem)).toEqual([
    { step: 1, values: { loss: 2 } },
    { step: 2, values: { loss: 1 } },
  ]);
});
