/** What an attempt's end without a result means, and whether its program can have run. */
import { describe, expect, it } from "vitest";
import { exitWithoutRecord, wasNotLaunched } from "../src/attempt/exit.ts";
import type { TaskRow } from "../src/service/batch-port.ts";

const row = (more: Partial<TaskRow>): TaskRow => ({
  id: "task",
  state: "completed",
  startedAt: undefined,
  endedAt: undefined,
  exitCode: undefined,
  failure: undefined,
  node: undefined,
  pool: undefined,
  ...more,
});

const failure = (code: string) => ({
  category: "usererror",
  code,
  message: "One of the specified Azure Blob(s) is not found.",
  details: [{ name: "BlobUrl", value: "https://mystorage.blob.core.windows.net/c/code.tar" }],
});

const facts = {
  life: undefined,
  stop: undefined,
  priority: "low",
  lastLine: undefined,
  isUnclaimed: true,
  jobEnd: undefined,
} as const;

describe("a task whose command was never launched", () => {
  const lost = row({ failure: failure("BlobNotFound") });

  it("has not begun when no node has its claim", () => {
    expect(wasNotLaunched(lost)).toBe(true);
    expect(exitWithoutRecord({ ...facts, row: lost })).toMatchObject({
      cause: "not-begun",
      detail:
        "its task failed on Azure Batch: One of the specified Azure Blob(s) is not found (BlobNotFound). A file the task needs was removed from storage; flow sends it again with the next attempt. (BlobUrl: https://mystorage.blob.core.windows.net/c/code.tar)",
    });
  });

  it("may have run when a node has its claim", () => {
    expect(exitWithoutRecord({ ...facts, row: lost, isUnclaimed: false }).cause).toBe("lost");
  });

  it("is not worth another node when its image is wrong", () => {
    const wrong = row({ failure: failure("ContainerImageNotFound") });
    expect(exitWithoutRecord({ ...facts, row: wrong }).cause).toBe("lost");
  });
});

describe("a task that was launched, or ended by somebody", () => {
  it.each([
    ["it left a code", row({ exitCode: 1, failure: failure("FailureExitCode") })],
    ["the service or a person ended it", row({ failure: failure("TaskEnded") })],
    ["it waits", row({ state: "active" })],
    ["it is gone", undefined],
  ])("proves nothing: %s", (_, seen) => {
    expect(wasNotLaunched(seen)).toBe(false);
  });
});

describe("a task that was ended, and not by flow", () => {
  const ended = row({ exitCode: 137, failure: failure("TaskEnded") });

  it("has met the end of its job's time, from which it can go on", () => {
    expect(
      exitWithoutRecord({ ...facts, row: ended, jobEnd: "maxwallclocktimeexpiry" }),
    ).toMatchObject({
      code: undefined,
      cause: "time-limit",
      detail:
        "its job in Azure Batch reached its time and ended; raise `max_time` or `max_node_hours`",
    });
  });

  it.each([
    ["job", "userterminate"],
    ["task", undefined],
  ])("was ended by somebody with its %s, and did not fail", (what, jobEnd) => {
    expect(exitWithoutRecord({ ...facts, row: ended, jobEnd })).toMatchObject({
      code: undefined,
      cause: "lost",
      detail: `somebody else ended its ${what} in Azure Batch`,
    });
  });
});

describe("a node that could not begin an attempt", () => {
  it("says why, and nothing of it has run", () => {
    const end = { ...facts, isUnclaimed: false, lastLine: "storage cannot be reached" };
    expect(exitWithoutRecord({ ...end, row: row({ exitCode: 97 }) })).toMatchObject({
      code: undefined,
      cause: "not-begun",
      detail: "the node could not run it: storage cannot be reached",
    });
  });

  it("says why it left no result of a program that ended well", () => {
    const end = { ...facts, isUnclaimed: false, lastLine: "the results cannot be packed" };
    expect(exitWithoutRecord({ ...end, row: row({ exitCode: 0 }) })).toMatchObject({
      cause: "lost",
      detail: "its task ended without a result: the results cannot be packed",
    });
  });

  it("is another thing than a program that failed and left no result", () => {
    const end = { ...facts, isUnclaimed: false, lastLine: "the results cannot be packed" };
    expect(exitWithoutRecord({ ...end, row: row({ exitCode: 3 }) })).toMatchObject({
      code: 3,
      cause: undefined,
    });
  });
});
