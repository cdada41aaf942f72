import { type AttemptResult, parseDuration } from "@flow/core";
import { describe, expect, it } from "vitest";
import { readMoment, scenarios, WAYS } from "../../src/drill/scenario.ts";
import type { Trial } from "../../src/drill/trial.ts";
import { judge, judgeLimit, type Reference } from "../../src/drill/verdict.ts";

const reference: Reference = {
  durationMs: 10_000,
  progress: { first: 1, last: 10, total: 10 },
  targets: new Map([["model.bin", "aa"]]),
};

const success = {
  outcome: { type: "success" },
  exit: { code: 0 },
  trace: { targets: [{ path: "model.bin", digest: "aa", signature: "" }] },
} as unknown as AttemptResult;

const ended = (outcome: object, exit: object): AttemptResult =>
  ({ outcome, exit }) as unknown as AttemptResult;

const requeued = ended({ type: "requeue", code: 75 }, { code: 75, stopped: "preempt" });

const cutAt = (last: number, attempt: AttemptResult, cutMs = 100): Trial => ({
  attempts: [attempt],
  progress: { first: 1, last, total: 10 },
  wasCut: true,
  cutMs,
});

const restFrom = (first: number, attempt: AttemptResult = success): Trial => ({
  attempts: [attempt],
  progress: { first, last: 10, total: 10 },
  wasCut: false,
  cutMs: undefined,
});

const stop = { way: "stop", at: { part: 0.5 } } as const;

describe("a drill's verdict", () => {
  it("passes a task that saves, says so, goes on and makes the same", () => {
    expect(judge(stop, reference, cutAt(5, requeued), restFrom(6), 1000)).toEqual({
      result: "pass",
      steps: [
        "ended with exit 75 after 100ms",
        "told 5 before, went on with 6 of 10",
        "made the same targets",
      ],
      problems: [],
    });
  });

  it("fails one that began anew", () => {
    const { result, problems } = judge(stop, reference, cutAt(5, requeued), restFrom(1), 1000);
    expect([result, problems]).toEqual([
      "fail",
      [
        "began anew although it had got further; it must read its checkpoint from FLOW_CHECKPOINT_DIR when it starts",
      ],
    ]);
  });

  it("does not blame one that had just begun", () => {
    expect(judge(stop, reference, cutAt(1, requeued), restFrom(1), 1000).result).toBe("pass");
  });

  it("fails one that had to be killed after its grace", () => {
    const killed = ended(
      { type: "interrupted", cause: "preempted", resumable: true },
      { signal: "SIGKILL", stopped: "preempt" },
    );
    expect(judge(stop, reference, cutAt(5, killed), restFrom(6), 1000).problems).toEqual([
      "did not end within its grace of 1s and was killed; it must look for FLOW_STOP_FILE, or handle the stop signal, more often than that",
    ]);
    const kill = { way: "kill", at: { part: 0.5 } } as const;
    expect(judge(kill, reference, cutAt(5, killed), restFrom(6), 1000).result).toBe("pass");
  });

  it("fails one that takes the stop for an error, keeps no checkpoint, or never ends", () => {
    const failed = ended({ type: "failed", kind: "exit", code: 1 }, { code: 1 });
    expect(judge(stop, reference, cutAt(5, failed), restFrom(6), 1000).problems).toEqual([
      "counted as a failure (exit 1); a program that stops because it was asked to exits with FLOW_EXIT_REQUEUE (75)",
    ]);
    const bare = ended(
      { type: "interrupted", cause: "preempted", resumable: false },
      { code: 143 },
    );
    expect(judge(stop, reference, cutAt(5, bare), restFrom(6, failed), 1000).problems).toEqual([
      "left no checkpoint, so it would not be run again by itself; it must write one to FLOW_CHECKPOINT_DIR before it is done",
      "did not get to its end afterwards: exit 1",
    ]);
  });

  it("fails one whose targets are not those of the undisturbed run", () => {
    const other = {
      ...success,
      trace: { targets: [{ path: "model.bin", digest: "bb", signature: "" }] },
    } as unknown as AttemptResult;
    expect(judge(stop, reference, cutAt(5, requeued), restFrom(6, other), 1000).problems).toEqual([
      "made other targets than undisturbed: model.bin",
    ]);
  });

  it("says when nothing was put to the test", () => {
    const early: Trial = { ...cutAt(10, success), wasCut: false };
    expect(judge(stop, reference, early, restFrom(1), 1000).result).toBe("skip");
    expect(judgeLimit(reference, restFrom(1)).result).toBe("skip");
  });

  it("counts the attempts under a time limit", () => {
    const limited = ended({ type: "requeue" }, { code: 75, stopped: "deadline" });
    const trial = { ...restFrom(1), attempts: [limited, success] };
    expect(judgeLimit(reference, trial)).toMatchObject({
      result: "pass",
      steps: ["was started 2 times", "made the same targets"],
    });
    const restarted = { ...success, exit: { code: 0, restarts: 2 } } as unknown as AttemptResult;
    expect(judgeLimit(reference, restFrom(1, restarted)).steps[0]).toBe("was started 3 times");
  });
});

describe("what is to be tried", () => {
  it("is every way at its moments, or at those that are asked for", () => {
    expect(scenarios(WAYS, undefined).map(({ way }) => way)).toEqual([
      ...["stop", "stop", "stop", "cancel", "limit", "kill", "kill", "leave"],
    ]);
    expect(scenarios(["kill", "limit"], [{ afterMs: 5 }])).toEqual([
      { way: "kill", at: { afterMs: 5 } },
      { way: "limit", at: undefined },
    ]);
  });

  it.each([
    ["50%", { part: 0.5 }],
    ["3s", { afterMs: 3000 }],
    ["120%", undefined],
    ["half", undefined],
  ])("%s is a moment or not", (text, moment) => {
    expect(readMoment(text, parseDuration)).toEqual(moment);
  });
});
