import { expect, test } from "vitest";
import { layout as layoutOf } from "../../src/engine/layout.ts";
import { attemptKey, type TaskKey, taskKey } from "../../src/model/ids.ts";
import {
  markForgotten,
  recordedSuccess,
  recordedTasks,
} from "../../src/record/recorded-success.ts";
import { MemoryFileSystem } from "../../src/testing/index.ts";

const layout = layoutOf("/project");
const key = taskKey("00000000000000aa");

function project(results: Readonly<Record<number, object | string>>): MemoryFileSystem {
  const files = new MemoryFileSystem();
  for (const [serial, result] of Object.entries(results)) {
    const directory = layout.attempt(attemptKey(key, Number(serial)));
    files.makeDirectory(directory);
    const text = typeof result === "string" ? result : JSON.stringify(result);
    files.write(`${directory}/result.json`, text);
  }
  return files;
}

const trace = (serial: number): object => ({
  version: 1,
  serial,
  fingerprint: { digest: "d" },
  deps: [],
  targets: [],
});
const success = (serial: number): object => ({
  outcome: { type: "success" },
  trace: trace(serial),
});
const failure = { outcome: { type: "failed" } };

const serialOf = (files: MemoryFileSystem, task: TaskKey = key): number | undefined =>
  recordedSuccess(layout, task, files)?.serial;

test("the last success counts, whatever failed or was damaged after it", () => {
  const files = project({ 1: success(1), 2: success(2), 3: failure, 4: '{"outcome":{"ty' });
  expect(serialOf(files)).toBe(2);
  expect(recordedTasks(layout, files)).toEqual([key]);
  expect(serialOf(files, taskKey("00000000000000bb"))).toBeUndefined();
});

test("only a whole trace of this version and of that attempt is believed", () => {
  expect(serialOf(project({ 1: { outcome: { type: "success" } } }))).toBeUndefined();
  expect(serialOf(project({ 1: { ...success(1), trace: trace(7) } }))).toBeUndefined();
  const other = { ...success(1), trace: { ...trace(1), version: 2 } };
  expect(serialOf(project({ 1: other }))).toBeUndefined();
});

test("what was forgotten stays forgotten, until the task succeeds anew", () => {
  const files = project({ 1: success(1), 2: failure });
  markForgotten(layout, key, files);
  expect(serialOf(files)).toBeUndefined();
  const directory = layout.attempt(attemptKey(key, 3));
  files.makeDirectory(directory);
  files.write(`${directory}/result.json`, JSON.stringify(success(3)));
  expect(serialOf(files)).toBe(3);
  files.write(layout.forgotten(key), "2");
  expect(serialOf(files)).toBeUndefined();
});
