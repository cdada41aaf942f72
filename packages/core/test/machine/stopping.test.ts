import { describe, expect, test } from "vitest";
import {
  CANCELLED,
  Driver,
  failed,
  interrupted,
  OOM,
  ofType,
  REQUEUE,
  SUCCESS,
  settled,
  starts,
} from "./driver.ts";

describe("a request to stop everything", () => {
  test("reaches every attempt and starts nothing new", () => {
    const run = new Driver([{}, {}, {}, { deps: [0] }], { limits: { slots: 2 } });
    run.run(0, 1);
    expect(run.stop(undefined)).toEqual([
      { type: "stop", task: 0, serial: 1, how: "graceful", reason: "user" },
      { type: "stop", task: 1, serial: 1, how: "graceful", reason: "user" },
    ]);
    expect(settled(run.end(0, CANCELLED))).toEqual({ 0: { at: "cancelled", outcome: CANCELLED } });
    expect(settled(run.end(1, SUCCESS))).toEqual({
      1: { at: "done" },
      2: { at: "cancelled", outcome: undefined },
      3: { at: "cancelled", outcome: undefined },
    });
    expect(run.machine.isFinished).toBe(true);
  });

  test("asked again by force kills, but the same request is not sent twice", () => {
    const run = new Driver([{}]);
    run.run(0);
    run.stop(undefined);
    expect(run.stop(undefined)).toEqual([]);
    expect(run.stop(undefined, "forced")).toMatchObject([{ type: "stop", how: "forced" }]);
    expect(run.stop(undefined, "forced")).toEqual([]);
    expect(run.stop(undefined, "graceful")).toEqual([]);
    expect(run.machine.view(0)).toMatchObject({ stop: { how: "forced", reason: "user" } });
  });

  test("reaches an attempt that is just being claimed as soon as it has a number", () => {
    const run = new Driver([{}]);
    expect(run.stop(undefined)).toEqual([]);
    expect(run.machine.view(0)).toMatchObject({
      at: "starting",
      stop: { how: "graceful", reason: "user" },
    });
    expect(run.claim(0)).toMatchObject([{ type: "stop", task: 0, serial: 1 }]);
    expect(run.refuse(0, "unavailable")).toMatchObject([
      { type: "stop", task: 0, serial: 1 },
      { type: "wake" },
    ]);
    expect(run.wait(1_000)).toEqual([]);
    expect(settled(run.end(0, CANCELLED))).toMatchObject({ 0: { at: "cancelled" } });
  });

  test("before the run opens lets nothing start, and reaches what is adopted then", () => {
    const run = new Driver([{}, {}], { closed: true });
    expect(run.machine.explain(1)).toEqual({ why: "not-opened" });
    run.stop(undefined);
    run.adopt(0, 3);
    expect(ofType(run.effects, "stop")).toMatchObject([{ task: 0, serial: 3 }]);
    expect(run.open()).toEqual([]);
    run.end(0, interrupted("stopped"));
    expect(run.states()).toEqual(["cancelled", "cancelled"]);
  });

  test("does not wait for checks, and what they say later changes nothing", () => {
    const run = new Driver([{}, {}], { checks: "by hand" });
    run.check(0, "stale");
    run.run(0);
    run.stop(undefined);
    run.end(0, CANCELLED);
    expect(run.machine.isFinished).toBe(true);
    expect(run.check(1, "fresh")).toEqual([]);
    expect(run.at(1)).toBe("cancelled");
  });

  test("lets a task that another run holds go", () => {
    const run = new Driver([{}, {}, {}]);
    run.stop(undefined);
    run.send({ type: "task/held", task: 0 });
    expect(run.at(0)).toBe("cancelled");
    run.claim(1);
    run.send({ type: "task/held", task: 2 });
    run.end(1, CANCELLED);
    expect(run.machine.isFinished).toBe(true);
  });

  test("ends an attempt nobody can see only when that becomes known", () => {
    const run = new Driver([{}]);
    run.run(0);
    run.unknown(0);
    expect(run.stop(undefined)).toMatchObject([{ type: "stop", task: 0 }]);
    expect(run.machine.isFinished).toBe(false);
    expect(run.machine.onlyUnknownLeft).toBe(true);
    run.end(0, CANCELLED);
    expect(run.machine.isFinished).toBe(true);
  });
});

describe("what ends after it was asked to stop", () => {
  const ends = [
    ["success", SUCCESS, "done"],
    ["cancelled", CANCELLED, "cancelled"],
    ["a requeue", REQUEUE, "cancelled"],
    ["interrupted", interrupted("stopped"), "cancelled"],
    ["out of memory", OOM, "cancelled"],
    ["a failure", failed(), "failed"],
    ["pruned", { type: "pruned", message: "pruned" }, "pruned"],
  ] as const;
  test.each(ends)("by a person, with %s, is not tried again", (_, outcome, at) => {
    const retries = { max: 5, causes: [], backoffMs: 0, backoffMaxMs: 0, escalate: {} };
    const run = new Driver([{ retries }]);
    run.run(0);
    run.stop([0]);
    run.end(0, outcome);
    expect(run.at(0)).toBe(at);
  });

  test("because it was pruned, is pruned", () => {
    const run = new Driver([{}, { exclusive: true }, { deps: [1] }], {
      options: { keepGoing: true },
    });
    run.run(0);
    run.stop([0, 1], "graceful", "pruned");
    run.end(0, REQUEUE);
    expect(run.states()).toEqual(["pruned", "pruned", "pruned"]);
  });

  test("because it was pruned, takes along those that need it, not those that gather", () => {
    const run = new Driver([{}, {}, { deps: [0] }, { deps: [0, 1], bearsPruned: true }]);
    run.run(0);
    run.run(1);
    run.stop([0], "graceful", "pruned");
    run.end(0, REQUEUE);
    expect(run.states()).toEqual(["pruned", "running", "pruned", "waiting"]);
    run.end(1, SUCCESS);
    expect(run.at(3)).not.toBe("waiting");
  });

  test("because it hung or is to move, is tried again as its policies say", () => {
    for (const reason of ["hung", "deadline", "preempt"] as const) {
      const run = new Driver([{}]);
      run.run(0);
      run.stop([0], "graceful", reason);
      expect(starts(run.end(0, REQUEUE))).toEqual([0]);
      expect(run.machine.view(0)).toMatchObject({ stop: undefined });
    }
  });

  test("first to move and then by a person, is not tried again", () => {
    const run = new Driver([{}]);
    run.run(0);
    run.stop([0], "graceful", "preempt");
    expect(run.stop([0])).toEqual([]);
    run.end(0, REQUEUE);
    expect(run.at(0)).toBe("cancelled");
  });

  test("first by a person and then to move, is not tried again", () => {
    const run = new Driver([{}]);
    run.run(0);
    run.stop([0]);
    expect(run.stop([0], "forced", "hung")).toMatchObject([{ how: "forced", reason: "user" }]);
    run.end(0, interrupted("stopped"));
    expect(run.at(0)).toBe("cancelled");
  });
});

describe("a request to stop some tasks", () => {
  test("leaves the others alone and blocks what depends on them", () => {
    const run = new Driver([{}, {}, { deps: [0] }, { deps: [1] }], { limits: { slots: 2 } });
    run.run(0, 1);
    run.stop([0]);
    expect(settled(run.end(0, CANCELLED))).toEqual({
      0: { at: "cancelled", outcome: CANCELLED },
      2: { at: "blocked", by: 0 },
    });
    expect(run.machine.isHalted).toBe(false);
    expect(starts(run.end(1))).toEqual([3]);
  });

  test("takes out at once what has not started, and leaves alone what is final", () => {
    const run = new Driver([{}, {}, { deps: [1] }], { limits: { slots: 1 } });
    expect(settled(run.stop([1, 2]))).toEqual({
      1: { at: "cancelled", outcome: undefined },
      2: { at: "cancelled", outcome: undefined },
    });
    expect(run.stop([1])).toEqual([]);
  });

  test("that is no wish of a person does nothing to what has not started", () => {
    const run = new Driver([{}, {}], { limits: { slots: 1 } });
    expect(run.stop([1], "graceful", "preempt")).toEqual([]);
    expect(run.at(1)).toBe("ready");
  });

  test("that waits for another try keeps how the last one ended", () => {
    const requeue = { mode: "auto" as const, codes: [], max: undefined, delayMs: 9 };
    const run = new Driver([{ requeue }]);
    run.run(0);
    run.end(0, REQUEUE);
    expect(run.machine.view(0)).toMatchObject({ at: "backoff", until: 9, reason: "requeue" });
    run.stop([0]);
    expect(run.machine.view(0)).toMatchObject({ at: "cancelled", outcome: REQUEUE });
  });

  test("is answered by `held` with what was asked", () => {
    const run = new Driver([{}, {}, {}]);
    run.stop([0], "graceful", "user");
    run.stop([1], "graceful", "pruned");
    run.stop([2], "graceful", "hung");
    for (const task of [0, 1, 2]) run.send({ type: "task/held", task });
    expect(run.states()).toEqual(["cancelled", "pruned", "held"]);
  });
});

describe("a drain", () => {
  test("starts nothing new and lets what runs end", () => {
    const run = new Driver([{}, {}, { deps: [0] }], { limits: { slots: 1 } });
    run.run(0);
    expect(run.send({ type: "drain/requested" })).toEqual([]);
    expect(settled(run.end(0))).toEqual({
      0: { at: "done" },
      1: { at: "cancelled", outcome: undefined },
      2: { at: "cancelled", outcome: undefined },
    });
    expect(run.machine.isFinished).toBe(true);
  });

  test("of a run that does nothing ends it", () => {
    const run = new Driver([{}], { checks: "by hand" });
    expect(ofType(run.send({ type: "drain/requested" }), "finished")).toHaveLength(1);
  });
});
