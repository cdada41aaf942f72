// A project in memory where tasks are judged and "run" by hand.

import { expect } from "vitest";
import type { TaskId, TaskKey } from "../../src/model/ids.ts";
import { runId } from "../../src/model/ids.ts";
import type { Task } from "../../src/model/task.ts";
import type { FileStat } from "../../src/ports/file-system.ts";
import { MemoryFileSystem } from "../../src/testing/memory-file-system.ts";
import { describeReason } from "../../src/trace/explain.ts";
import type { CheckCommand, CheckResult } from "../../src/trace/inputs.ts";
import type { InspectorOptions } from "../../src/trace/inspect.ts";
import { Inspector } from "../../src/trace/inspect.ts";
import { TraceStore } from "../../src/trace/store.ts";
import type { Inspection, TargetProblem, Trace } from "../../src/trace/trace.ts";
import { task } from "../graph/sketch.ts";

export const root = "/project";
const tracesPath = `${root}/.flow/traces`;

export class Bench {
  /** Paths whose content was read, relative to the root. */
  readonly read: string[] = [];
  readonly env: Record<string, string | undefined> = {};
  /** What commands answer, by text. */
  readonly answers = new Map<string, CheckResult>();
  readonly files: MemoryFileSystem = new MemoryFileSystem();
  #serial = 0;

  constructor(contents: Readonly<Record<string, string>> = {}) {
    this.files.makeDirectory(`${root}/.flow/cache`);
    for (const [path, text] of Object.entries(contents)) this.write(path, text);
    const { files, read } = this;
    const plainRead = files.read.bind(files);
    const plainHash = files.hash.bind(files);
    const note = (path: string): void => {
      if (!path.includes("/.flow/")) read.push(path.slice(root.length + 1));
    };
    files.read = (path) => {
      note(path);
      return plainRead(path);
    };
    files.hash = (path) => {
      note(path);
      return plainHash(path);
    };
  }

  write(path: string, text: string): void {
    const full = `${root}/${path}`;
    this.files.makeDirectory(full.slice(0, full.lastIndexOf("/")));
    this.files.write(full, text);
  }

  remove(path: string): void {
    this.files.removeTree(`${root}/${path}`);
  }

  /** Same content, new signature. */
  touch(path: string): void {
    const content = this.files.text(`${root}/${path}`) ?? "";
    this.files.write(`${root}/${path}`, content);
  }

  /** Other content with the times of before: what the disk did not have yet when the machine went down. */
  lose(path: string): void {
    const full = `${root}/${path}`;
    const stat = this.files.stat.bind(this.files);
    const changedNs = stat(full)?.changedNs ?? 0n;
    this.files.write(full, "");
    const aged = (at: string): FileStat | undefined => {
      const found = stat(at);
      return found === undefined || at !== full ? found : { ...found, changedNs };
    };
    Object.assign(this.files, { stat: aged });
  }

  store(): TraceStore {
    return new TraceStore(this.files, tracesPath);
  }

  /** A new run of flow. */
  inspector(options: Partial<InspectorOptions> = {}): Inspector {
    return new Inspector({
      root,
      fileSystem: this.files,
      // Far ahead of the memory file system's clock, so that every signature is ripe.
      wall: () => 4_000_000_000_000,
      sleep: () => Promise.resolve(),
      ignore: [],
      env: this.env,
      valuesFile: (task: TaskId) => `${task}.json`,
      runCommand: ({ text }: CheckCommand) =>
        Promise.resolve(this.answers.get(text) ?? { code: 127, stdout: "", message: "" }),
      traces: this.store(),
      ...options,
    });
  }

  /** Judges a task and keeps what a run that found it fresh would keep. */
  async inspect(task: Task, options: Partial<InspectorOptions> = {}): Promise<Inspection> {
    const traces = this.store();
    const inspector = this.inspector({ traces, ...options });
    const inspection = await inspector.inspect(task);
    traces.save();
    if (inspection.verdict === "fresh") inspector.save();
    return inspection;
  }

  /** `fresh`, or the reasons or problems in words. */
  async verdict(
    task: Task,
    options: Partial<InspectorOptions> = {},
  ): Promise<string | readonly string[]> {
    const inspection = await this.inspect(task, options);
    if (inspection.verdict === "fresh") return "fresh";
    if (inspection.verdict === "impossible") return inspection.problems.map((one) => one.message);
    return inspection.reasons.map(describeReason);
  }

  /** Runs a task whose program does `work`; the problems with its targets, if there are any. */
  async run(task: Task, work: () => void = () => {}): Promise<readonly TargetProblem[]> {
    const traces = this.store();
    const inspector = this.inspector({ traces });
    const inspection = await inspector.inspect(task);
    if (inspection.verdict === "impossible") throw new Error(inspection.problems[0]?.message);
    work();
    const { key, id, file, targets, values } = task;
    const { inputs } = JSON.parse(JSON.stringify(inspection)) as typeof inspection;
    this.#serial++;
    const at = { run: runId("run"), serial: this.#serial, durationMs: 5, endedAt: 7 };
    // A flow that comes later concludes: it knows nothing but the attempt's own record.
    const concluder = this.inspector({ traces });
    const concluded = await concluder.conclude({
      key,
      task: id,
      file,
      targets,
      values,
      inputs,
      ...at,
    });
    if (!concluded.ok) return concluded.error;
    traces.put(key, concluded.value);
    traces.save();
    inspector.save();
    concluder.save();
    return [];
  }

  trace(key: TaskKey): Trace | undefined {
    return this.store().get(key);
  }
}

/** The task most tests are about. */
export const train: Task = task("train", {
  run: "train a.csv",
  deps: ["a.csv"],
  targets: ["model"],
});

/** A bench on which `of` has succeeded once and made its targets. */
export async function done(
  of: Task,
  contents: Readonly<Record<string, string>> = { "a.csv": "1" },
): Promise<Bench> {
  const bench = new Bench(contents);
  const problems = await bench.run(of, () => {
    for (const { path, kind } of of.targets)
      bench.write(kind === "file" ? path : `${path}/x`, `made ${path}`);
  });
  expect(problems).toEqual([]);
  return bench;
}
