import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { layout } from "../../src/engine/layout.ts";
import { attemptKey } from "../../src/model/ids.ts";
import { nodeFileSystem } from "../../src/ports/node/file-system.ts";
import { readRecords } from "../../src/record/record-index.ts";
import { joinAttempts, type RunRecord } from "../../src/record/run-record.ts";
import { task } from "../engine/tasks.ts";

let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), "flow-records-"));
  fs.mkdirSync(join(root, ".flow/cache"), { recursive: true });
  onTestFinished(() => fs.rmSync(root, { recursive: true, force: true }));
});

const train = task("train", { params: { lr: "0.1" } });

const directoryOf = (serial: number): string => layout(root).attempt(attemptKey(train.key, serial));

function attempt(serial: number, told: { record?: object; result?: object } = {}): void {
  const directory = directoryOf(serial);
  fs.mkdirSync(directory, { recursive: true });
  const record = { task: train, run: "r", serial, attempt: 1, fingerprint: "f", wall: 5 };
  const result = { outcome: { type: "success" }, metrics: {} };
  fs.writeFileSync(`${directory}/attempt.json`, JSON.stringify({ ...record, ...told.record }));
  fs.writeFileSync(`${directory}/result.json`, JSON.stringify({ ...result, ...told.result }));
}

/** As read a good while after everything was written, so that the cache believes it. */
const read = (): readonly RunRecord[] =>
  readRecords(layout(root), nodeFileSystem, {
    wall: Date.now() + 60_000,
    remember: true,
  }).byTask.flat();

/** What is remembered, with every metric replaced by a lie that tells whether it was believed. */
function plantLies(): void {
  const path = join(root, ".flow/cache/records.json");
  const text = fs.readFileSync(path, "utf8").replaceAll('"metrics":{}', '"metrics":{"lie":{}}');
  fs.writeFileSync(path, text);
}

const liars = (): readonly number[] =>
  read().flatMap(({ serial, metrics }) => ("lie" in metrics ? [serial] : []));

describe("the records of a project", () => {
  it("are remembered, and read again where a directory has changed", () => {
    attempt(1);
    attempt(2);
    expect(read().map(({ serial, params }) => [serial, params])).toEqual([
      [1, { lr: "0.1" }],
      [2, { lr: "0.1" }],
    ]);
    plantLies();
    expect(liars()).toEqual([1, 2]);
    fs.writeFileSync(`${directoryOf(1)}/tags.json`, '{"note":"good"}');
    expect(liars()).toEqual([2]);
    expect(read()[0]?.tags).toEqual({ note: "good" });
  });

  it("name the code of their run where they ended before it was known", () => {
    attempt(1);
    attempt(2, { record: { code: { tree: "own", kept: true } } });
    fs.mkdirSync(join(root, ".flow/runs/r"), { recursive: true });
    fs.writeFileSync(join(root, ".flow/runs/r/code.json"), '{"tree":"begun","kept":true}');
    expect(read().map(({ code }) => code?.tree)).toEqual(["begun", "own"]);
  });

  it("say what accounting found out later, where the result does not", () => {
    attempt(1, {
      result: { exit: { usage: { cpuSeconds: 2, peakMemoryBytes: 300 }, node: "n1" } },
    });
    attempt(2, { result: { exit: {} } });
    expect(read().map(({ usage }) => usage?.peakMemoryBytes)).toEqual([300, undefined]);
    const accounting = { cpuSeconds: 3, peakMemoryBytes: 200, elapsedMs: 4000, node: "n2" };
    for (const serial of [1, 2])
      fs.writeFileSync(`${directoryOf(serial)}/accounting.json`, JSON.stringify(accounting));
    expect(read()).toMatchObject([
      { usage: { cpuSeconds: 2, peakMemoryBytes: 300 }, node: "n1", durationMs: 4000 },
      { usage: { cpuSeconds: 3, peakMemoryBytes: 200 }, node: "n2", durationMs: 4000 },
    ]);
  });

  it("are remembered only by those who may write", () => {
    attempt(1);
    readRecords(layout(root), nodeFileSystem, { wall: Date.now() + 60_000, remember: false });
    expect(fs.readdirSync(join(root, ".flow/cache"))).toEqual([]);
  });

  it("tell the metrics of an attempt that has no result yet", () => {
    attempt(1);
    fs.rmSync(`${directoryOf(1)}/result.json`);
    const event = JSON.stringify({ k: "metrics", step: 1, v: { loss: 0.5 } });
    fs.writeFileSync(`${directoryOf(1)}/events.0.jsonl`, `${event}\n`);
    expect(read()[0]?.metrics["loss"]).toMatchObject({ last: 0.5, minStep: 1 });
  });

  it("come and go with their directories", () => {
    attempt(1);
    read();
    attempt(2);
    expect(read().map(({ serial }) => serial)).toEqual([1, 2]);
    fs.rmSync(directoryOf(1), { recursive: true });
    expect(read().map(({ serial }) => serial)).toEqual([2]);
  });

  it("are read again while there is no result, and right after one", () => {
    attempt(1);
    fs.rmSync(`${directoryOf(1)}/result.json`);
    expect(read()[0]?.status).toBe("running");
    attempt(2);
    attempt(3);
    read();
    plantLies();
    expect(liars()).toEqual([2, 3]);
    attempt(1);
    fs.rmSync(join(root, ".flow/cache/records.json"));
    const wall = Math.round(fs.statSync(`${directoryOf(1)}/result.json`).mtimeMs);
    readRecords(layout(root), nodeFileSystem, { wall, remember: true });
    expect(fs.existsSync(join(root, ".flow/cache/records.json"))).toBe(false);
  });

  it("are the same from the cache as from the directories", () => {
    const usage = { cpuSeconds: 1 };
    const metrics = { usage: { last: 1 }, code: { last: 2 } };
    const code = { tree: "t", kept: true, git: { commit: "c", dirty: true } };
    const machine = { system: "Linux", cpu: "x", cpus: 2, memoryBytes: 3 };
    for (const serial of [1, 2]) {
      attempt(serial, { record: { code }, result: { metrics, machine, exit: { usage } } });
    }
    const fromDirectories = read();
    fs.writeFileSync(`${directoryOf(2)}/attempt.json`, "gone");
    expect(JSON.parse(JSON.stringify(read()))).toEqual(JSON.parse(JSON.stringify(fromDirectories)));
  });

  it("survive a cache that is garbage, or another project's", () => {
    attempt(1);
    read();
    plantLies();
    const path = join(root, ".flow/cache/records.json");
    const lies = fs.readFileSync(path, "utf8");
    fs.writeFileSync(path, lies.replace(join(root, ".flow"), "/elsewhere/.flow"));
    expect(liars()).toEqual([]);
    fs.writeFileSync(path, '{"format":2,"tas');
    expect(read()).toHaveLength(1);
  });

  it("leave out attempts that were removed, and name torn ones", () => {
    attempt(1);
    fs.mkdirSync(directoryOf(2), { recursive: true });
    attempt(3);
    fs.writeFileSync(`${directoryOf(3)}/result.json`, '{"outcome":{"ty');
    attempt(4);
    fs.writeFileSync(`${directoryOf(4)}/attempt.json`, '{"task":null}');
    attempt(5);
    fs.writeFileSync(`${directoryOf(5)}/attempt.json`, "null");
    expect(read().map(({ serial, status }) => [serial, status])).toEqual([
      [1, "success"],
      [3, "running"],
    ]);
    const options = { wall: Date.now() + 60_000, remember: true };
    expect(readRecords(layout(root), nodeFileSystem, options).damaged).toEqual([
      `${directoryOf(3)}/result.json`,
      `${directoryOf(4)}/attempt.json`,
      `${directoryOf(5)}/attempt.json`,
    ]);
  });
});

describe("attempts that continued one another", () => {
  const summary = (value: number) => ({
    ...{ first: value, last: value, min: value, max: value, mean: value, count: 1 },
  });
  const told = (count: number, loss: number, checkpoint?: string) => ({
    record: { attempt: count, checkpoint, wall: count },
    result: { durationMs: 10, metrics: { loss: summary(loss) } },
  });

  it("are one record, whose metrics and time go on from a checkpoint", () => {
    attempt(1, told(1, 0.5, "/ckpt"));
    attempt(2, told(2, 0.25, "/ckpt"));
    const [record, ...others] = joinAttempts(read());
    expect(others).toEqual([]);
    expect(record).toMatchObject({ serial: 2, serials: [1, 2], attempts: 2, durationMs: 20 });
    expect(record?.metrics["loss"]).toMatchObject({ first: 0.5, last: 0.25, max: 0.5, count: 2 });
  });

  it("without a checkpoint have begun anew", () => {
    attempt(1, told(1, 0.5));
    attempt(2, told(2, 0.25));
    const [record] = joinAttempts(read());
    expect(record).toMatchObject({ serials: [1, 2], durationMs: 10 });
    expect(record?.metrics["loss"]?.max).toBe(0.25);
  });

  it("are two records when the fingerprint or the count says so", () => {
    attempt(1, told(1, 0.5, "/ckpt"));
    attempt(2, told(1, 0.5, "/ckpt"));
    attempt(3, { ...told(2, 0.5, "/ckpt"), record: { attempt: 2, fingerprint: "g" } });
    expect(joinAttempts(read()).map(({ serial }) => serial)).toEqual([1, 2, 3]);
  });
});
