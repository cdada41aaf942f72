import { describe, expect, test } from "vitest";
import { runId, type TaskKey, taskId, taskKey } from "../../src/model/ids.ts";
import { MemoryFileSystem } from "../../src/testing/memory-file-system.ts";
import { TraceStore } from "../../src/trace/store.ts";
import type { Trace } from "../../src/trace/trace.ts";

const path = "/project/.flow/traces";
const key = (number: number): TaskKey => taskKey(number.toString(16).padStart(16, "0"));

const trace = (serial: number, durationMs = serial * 10): Trace => ({
  version: 1,
  durationMs,
  task: taskId("t"),
  file: "flow.yaml",
  run: runId("run"),
  serial,
  endedAt: 0,
  fingerprint: {
    digest: "d",
    parts: { actions: "", env: "", cwd: "", shell: "", container: "", track: "" },
    recipe: {
      actions: ["odd \n\t } text"],
      env: {},
      cwd: "",
      shell: "sh",
      container: undefined,
      track: {},
    },
  },
  deps: [],
  values: {},
  targets: [],
  params: {},
  budget: {},
  changed: [],
});

function project(): { files: MemoryFileSystem; open: () => TraceStore } {
  const files = new MemoryFileSystem();
  files.makeDirectory("/project/.flow");
  return { files, open: () => new TraceStore(files, path) };
}

describe("traces on disk", () => {
  test("what was saved is there again", () => {
    const { open } = project();
    const store = open();
    store.put(key(1), trace(1));
    store.put(key(2), trace(2));
    store.save();
    const again = open();
    expect(again.get(key(1))).toEqual(trace(1));
    expect(again.durationMs(key(2))).toBe(20);
    expect(again.durationMs(key(3))).toBeUndefined();
    expect(again.keys()).toEqual([key(1), key(2)]);
  });

  test("nothing is written when nothing changed", () => {
    const { files, open } = project();
    open().save();
    expect(files.stat(path)).toBeUndefined();
  });

  test("many are written in pieces, which together are all of them", () => {
    const { files, open } = project();
    const store = open();
    const keys = Array.from({ length: 2000 }, (_, index) => key(index));
    for (const [index, one] of keys.entries()) store.put(one, trace(index + 1));
    const sizes: number[] = [];
    const replace = files.replace.bind(files);
    files.replace = (at, data) => {
      const pieces = [...(data as Iterable<string>)];
      sizes.push(...pieces.map(({ length }) => length));
      replace(at, pieces);
    };
    store.save();
    expect(sizes.length).toBeGreaterThan(2);
    expect(Math.max(...sizes)).toBeLessThan(300_000);
    const again = open();
    expect(again.damaged).toBe(0);
    expect(keys.map((one) => again.get(one)?.serial)).toEqual(keys.map((_, index) => index + 1));
  });

  test("forgetting takes effect at once and stays", () => {
    const { open } = project();
    const store = open();
    store.put(key(1), trace(1));
    store.save();
    const other = open();
    other.remove(key(1));
    expect([other.get(key(1)), other.keys()]).toEqual([undefined, []]);
    other.save();
    expect(open().get(key(1))).toBeUndefined();
  });

  test("two runs that save keep each other's tasks", () => {
    const { open } = project();
    const [one, other] = [open(), open()];
    one.put(key(1), trace(1));
    other.put(key(2), trace(2));
    one.save();
    other.save();
    expect(open().keys()).toEqual([key(1), key(2)]);
  });

  test("records of open runs lie over the file, the later attempt counts, and they are not saved", () => {
    const { open } = project();
    const store = open();
    store.put(key(1), trace(5));
    store.save();
    store.overlay([
      [key(1), trace(4)],
      [key(2), trace(1)],
      [key(2), trace(3)],
      [key(2), trace(2)],
    ]);
    expect(store.get(key(1))?.serial).toBe(5);
    expect(store.get(key(2))?.serial).toBe(3);
    store.overlay([[key(1), trace(6)]]);
    expect(store.get(key(1))?.serial).toBe(6);
    expect(store.durationMs(key(1))).toBe(60);
    store.put(key(3), trace(1));
    store.save();
    expect(open().keys()).toEqual([key(1), key(3)]);
  });

  test("a later success of another run is kept, whoever saves last", () => {
    const { open } = project();
    const [early, late] = [open(), open()];
    early.put(key(1), trace(1));
    late.put(key(1), trace(2));
    late.save();
    early.save();
    expect(early.get(key(1))).toEqual(trace(2));
    expect(open().get(key(1))).toEqual(trace(2));
    early.remove(key(1));
    early.save();
    expect(open().get(key(1))).toBeUndefined();
  });

  test("damage costs the damaged lines only, at every byte", () => {
    const { files, open } = project();
    const store = open();
    for (const number of [1, 2, 3]) store.put(key(number), trace(number));
    store.save();
    const text = files.text(path) ?? "";
    const second = text.indexOf("\n") + 1;
    const third = text.indexOf("\n", second) + 1;
    for (let length = 0; length < text.length; length++) {
      files.write(path, text.slice(0, length));
      const cut = open();
      const whole = [second, third, text.length].filter((end) => end <= length).length;
      expect([1, 2, 3].map((number) => cut.get(key(number)) !== undefined)).toEqual(
        [1, 2, 3].map((number) => number <= whole),
      );
    }
    for (let position = second; position < third - 1; position++) {
      files.write(path, `${text.slice(0, position)}\0${text.slice(position + 1)}`);
      const damaged = open();
      expect([damaged.get(key(1)), damaged.get(key(3))]).toEqual([trace(1), trace(3)]);
      damaged.get(key(2));
      expect(damaged.damaged + (damaged.get(key(2)) === undefined ? 0 : 1)).toBeGreaterThan(0);
    }
  });

  test("a trace of another version counts as none", () => {
    const { files, open } = project();
    files.write(path, `${key(1)}\t${JSON.stringify({ ...trace(1), version: 2 })}\n`);
    const store = open();
    expect(store.damaged).toBe(1);
    expect(store.get(key(1))).toBeUndefined();
    expect(store.damaged).toBe(1);
  });

  test("what damage or loss took away is read back from the tasks' own records, and saved", () => {
    const { files, open } = project();
    const records = new Map([
      [key(1), trace(3)],
      [key(2), trace(1)],
    ]);
    const reopen = () => new TraceStore(files, path, (task) => records.get(task));
    const first = open();
    first.put(key(1), trace(3));
    first.put(key(2), trace(2));
    first.save();

    const whole = reopen();
    expect([whole.isIncomplete, whole.isChanged, whole.recovered]).toEqual([false, false, 0]);

    const text = files.text(path) ?? "";
    files.write(path, text.replace('"serial":3', '"serial":"3"'));
    const damaged = reopen();
    expect([damaged.get(key(1)), damaged.get(key(2))]).toEqual([trace(3), trace(2)]);
    expect([damaged.damaged, damaged.recovered, damaged.isChanged]).toEqual([1, 1, true]);

    files.remove(path);
    const lost = reopen();
    expect(lost.isIncomplete).toBe(true);
    lost.recover([key(1), key(2), key(3)]);
    expect([lost.get(key(1)), lost.get(key(2)), lost.get(key(3))]).toEqual([
      trace(3),
      trace(1),
      undefined,
    ]);
    lost.absorb();
    lost.save();
    expect([lost.recovered, lost.isChanged]).toEqual([0, false]);
    expect(open().keys()).toEqual([key(1), key(2)]);
  });
});
