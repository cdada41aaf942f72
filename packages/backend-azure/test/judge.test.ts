/** What the service's word about a task means, after what was seen before. */
import { describe, expect, it } from "vitest";
import { judge } from "../src/attempt/judge.ts";
import type { TaskRow } from "../src/service/batch-port.ts";

const row = (more: Partial<TaskRow>): TaskRow => ({
  id: "task",
  state: "active",
  startedAt: undefined,
  endedAt: undefined,
  exitCode: undefined,
  failure: undefined,
  node: undefined,
  pool: undefined,
  ...more,
});
const life = { node: "tvm-1", startedAt: 5_000_000 };
const running = row({ state: "running", ...life });

describe("a task that was never seen to run", () => {
  it("waits while it is active", () => {
    expect(judge({ row: row({}), sure: false, life: undefined })).toEqual({ type: "queued" });
  });

  it("runs, and tells where and since when", () => {
    expect(judge({ row: running, sure: false, life: undefined })).toEqual({
      type: "running",
      life,
    });
  });

  it("is asked for by itself when it is not listed, and over when it is not there", () => {
    expect(judge({ row: undefined, sure: false, life: undefined })).toEqual({ type: "ask" });
    expect(judge({ row: undefined, sure: true, life: undefined })).toEqual({ type: "completed" });
  });
});

describe("a task that was seen to run", () => {
  it("still runs when its time is rounded otherwise", () => {
    const again = row({ ...running, startedAt: life.startedAt + 400 });
    expect(judge({ row: again, sure: true, life }).type).toBe("running");
  });

  it.each([
    ["waits again", row({})],
    ["runs on another node", row({ ...running, node: "tvm-2" })],
    ["runs anew on a node of the same name", row({ ...running, startedAt: 9_000_000 })],
  ])("has lost its node when it %s, but a list alone is not believed", (_, now) => {
    expect(judge({ row: now, sure: false, life })).toEqual({ type: "ask" });
    expect(judge({ row: now, sure: true, life })).toEqual({ type: "displaced" });
  });

  it("is over wherever it ended", () => {
    const over = row({ state: "completed", node: "tvm-2" });
    expect(judge({ row: over, sure: false, life })).toEqual({ type: "completed" });
  });
});
