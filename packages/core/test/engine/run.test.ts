import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Backend, Job } from "../../src/backend/backend.ts";
import type { RunResult } from "../../src/engine/run.ts";
import type { RunEvent } from "../../src/engine/run-event.ts";
import { buildGraph } from "../../src/graph/build.ts";
import { compilePlan } from "../../src/graph/plan.ts";
import { select } from "../../src/graph/select.ts";
import { openState, prepareRun } from "../../src/host/execute.ts";
import type { Task } from "../../src/model/task.ts";
import { nodeFileSystem } from "../../src/ports/node/file-system.ts";
import { shellBackend } from "./shell-backend.ts";
import { project, task } from "./tasks.ts";

let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), "flow-run-"));
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

async function run(
  tasks: readonly Task[],
  usesNoFolders?: Backend["usesNoFolders"],
  holds = true,
): Promise<{
  result: RunResult;
  events: RunEvent[];
  started: string[];
  jobs: readonly Job[];
}> {
  const graph = buildGraph(project(root, tasks), nodeFileSystem);
  if (!graph.ok) throw new Error(JSON.stringify(graph.error));
  const selection = select(graph.value, []);
  if (!selection.ok) throw new Error(JSON.stringify(selection.error));
  const plan = compilePlan(graph.value, selection.value);
  const events: RunEvent[] = [];
  const backend = shellBackend();
  const { run: prepared } = prepareRun(plan, openState(root), {
    env: process.env,
    backends: new Map([["local", { ...backend, usesNoFolders }]]),
    slots: 4,
    keepGoing: false,
    failFast: false,
    version: "test",
    file: "flow.yaml",
    evaluate: () => ({ holds }),
    position: () => undefined,
    listeners: [(event) => events.push(event)],
  });
  const result = await prepared.execute();
  return { result, events, started: backend.jobs.map((job) => job.task), jobs: backend.jobs };
}

describe("a run", () => {
  it("makes no scratch and output folder for a task that its backend knows to use neither", async () => {
    const plain = task("plain", { run: "true" });
    const other = task("other", { run: "true" });
    await run([plain, other], (job) => job.task === "plain");
    const folder = ({ key }: Task): string => join(root, ".flow/tasks", key.slice(0, 2), key);
    const made = (one: Task): readonly boolean[] =>
      ["attempts/1", "attempts/1/tmp", "out"].map((name) => fs.existsSync(join(folder(one), name)));
    expect(made(plain)).toEqual([true, false, false]);
    expect(made(other)).toEqual([true, true, true]);
  });

  it("runs tasks in order and finds them fresh the second time", async () => {
    fs.writeFileSync(join(root, "in"), "1");
    const tasks = [
      task("double", { deps: ["in"], targets: ["out/a"], run: "cat in in > out/a" }),
      task("count", { deps: ["out/a"], targets: ["b"], run: "wc -c < out/a > b" }),
    ];
    const first = await run(tasks);
    expect(first.result.counts).toMatchObject({ done: 2, fresh: 0, failed: 0 });
    expect(first.result.exitCode).toBe(0);
    expect(fs.readFileSync(join(root, "b"), "utf8").trim()).toBe("2");
    const second = await run(tasks);
    expect(second.started).toEqual([]);
    expect(second.result.counts).toMatchObject({ done: 0, fresh: 2 });
    expect(second.result.recorded).toBe(false);
  });

  it("says which files besides the targets are to be brought home", async () => {
    const { jobs } = await run([
      task("train", {
        metrics: [
          { kind: "json", path: "end.json" },
          { kind: "jsonl", glob: "steps.jsonl" },
          { kind: "jsonl", glob: "logs/*.jsonl" },
        ],
        values: "values.json",
        outputs: { logs: "logs", own: "" },
        run: "true",
      }),
    ]);
    expect(jobs[0]?.leaves).toEqual(["logs", "values.json", "end.json", "steps.jsonl"]);
  });

  it("gives back the old target when the attempt fails and keeps the partial one", async () => {
    fs.writeFileSync(join(root, "a"), "good");
    const result = await run([task("make", { targets: ["a"], run: "echo bad > a; exit 3" })]);
    expect(result.result.exitCode).toBe(1);
    expect(fs.readFileSync(join(root, "a"), "utf8")).toBe("good");
    expect(fs.readFileSync(join(root, ".flow/partial/make/a"), "utf8")).toBe("bad\n");
  });

  it("fails a task that ends well without its target", async () => {
    const { events } = await run([task("make", { targets: ["a"], run: "true" })]);
    const failed = events.find((event) => event.type === "task/failed");
    expect(failed).toMatchObject({ outcome: { type: "failed", kind: "target-missing" } });
  });

  it("keeps the checkpoint of a success whose target was lost, and gives it up when an input changes", async () => {
    fs.writeFileSync(join(root, "in"), "1");
    const script =
      'cd "$FLOW_CHECKPOINT_DIR"; n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) | tee n > "$FLOW_PROJECT_DIR/a"';
    const checkpoint = { path: undefined, keep: true };
    const train = task("train", { deps: ["in"], targets: ["a"], checkpoint, run: script });
    const goes = async (): Promise<string> => {
      await run([train]);
      return fs.readFileSync(join(root, "a"), "utf8");
    };
    expect(await goes()).toBe("1\n");
    fs.rmSync(join(root, "a"));
    expect(await goes()).toBe("2\n");
    fs.writeFileSync(join(root, "in"), "2");
    expect(await goes()).toBe("1\n");
  });

  it("fails a task whose requirement is not met before it starts, with the message if there is one", async () => {
    const outcomeOf = async (message: string | undefined): Promise<unknown> => {
      const span = { file: 0, start: 0, end: 0 };
      const condition = { expression: "params.n > 5", message, span };
      const one = task("one", { require: [condition], run: "true" });
      const { events, started } = await run([one], undefined, false);
      expect(started).toEqual([]);
      return events.flatMap((event) => (event.type === "task/failed" ? [event.outcome] : []))[0];
    };
    const kind = "requirement-not-met";
    const message = "`require: params.n > 5` does not hold";
    expect(await outcomeOf(undefined)).toMatchObject({ type: "failed", kind, message });
    expect(await outcomeOf("n is too small")).toMatchObject({ kind, message: "n is too small" });
  });

  it("requeues a task that exits with 75 and tells it so", async () => {
    const script = 'echo $FLOW_RESTART_REASON >> log; test "$FLOW_ATTEMPT" = 3 || exit 75';
    const { result } = await run([task("make", { run: script })]);
    expect(result.exitCode).toBe(0);
    expect(fs.readFileSync(join(root, "log"), "utf8")).toBe("first\nrequeue\nrequeue\n");
  });
});
