import { describe, expect, test } from "vitest";
import { Driver, failed, interrupted, ofType, REQUEUE, settled, starts } from "./driver.ts";

describe("an attempt of an earlier run", () => {
  test("is not started again, and its task is checked when it has succeeded", () => {
    const run = new Driver([{}], { closed: true, checks: "by hand" });
    run.adopt(0, 5);
    expect(run.open()).toEqual([]);
    expect(run.machine.view(0)).toMatchObject({ at: "queued", serial: 5, adopted: true });
    expect(run.end(0)).toEqual([{ type: "check", task: 0 }]);
    expect(settled(run.check(0, "fresh"))).toEqual({ 0: { at: "done" } });
  });

  test("whose result is of no use any more makes way for a new one", () => {
    const run = new Driver([{}], { closed: true, checks: "by hand" });
    run.adopt(0, 5);
    run.open();
    run.end(0);
    expect(run.check(0, "stale")).toMatchObject([{ type: "start", task: 0, reason: "first" }]);
    run.run(0);
    expect(settled(run.end(0))).toEqual({ 0: { at: "done" } });
  });

  test("waits for the tasks before it when it ends first", () => {
    const run = new Driver([{}, { deps: [0] }], { closed: true, checks: "by hand" });
    run.adopt(1, 5);
    run.open();
    expect(run.end(1)).toEqual([]);
    expect(run.at(1)).toBe("waiting");
    expect(run.check(0, "fresh")).toMatchObject([{ type: "settled" }, { type: "check", task: 1 }]);
    expect(settled(run.check(1, "fresh"))).toEqual({ 1: { at: "done" } });
  });

  test("that ends badly is tried again, after a check", () => {
    const retries = { max: 1, causes: [], backoffMs: 3, backoffMaxMs: 3, escalate: {} };
    const run = new Driver([{ retries }], { closed: true, checks: "by hand" });
    run.adopt(0, 5);
    run.open();
    run.end(0, failed());
    expect(run.wait(3)).toEqual([{ type: "check", task: 0 }]);
    expect(run.check(0, "stale")).toMatchObject([{ type: "start", reason: "retry", retry: 1 }]);
  });

  test("may end before the run opens", () => {
    const run = new Driver([{}, {}], { closed: true, checks: "by hand" });
    run.adopt(0, 5);
    run.adopt(1, 5);
    expect(run.end(0)).toEqual([]);
    expect(run.end(1, interrupted("lost"))).toMatchObject([{ type: "again" }]);
    expect(run.open()).toMatchObject([
      { type: "check", task: 0 },
      { type: "check", task: 1 },
    ]);
  });

  test("whose task cannot count any more ends, and then is blocked", () => {
    const tasks = [{}, { deps: [0] }, { deps: [0] }, { deps: [0] }, { deps: [2] }];
    const run = new Driver(tasks, { closed: true, options: { keepGoing: true } });
    for (const task of [1, 2, 3]) run.adopt(task, 1);
    run.open();
    run.run(0);
    run.end(0, failed());
    expect(run.states()).toEqual(["failed", "queued", "queued", "queued", "waiting"]);
    expect(settled(run.end(1))).toEqual({ 1: { at: "blocked", by: 0 } });
    expect(settled(run.end(2, REQUEUE))).toEqual({
      2: { at: "blocked", by: 0 },
      4: { at: "blocked", by: 0 },
    });
    expect(settled(run.end(3, failed()))).toEqual({ 3: { at: "failed", outcome: failed() } });
  });

  test("that waits for its next try is blocked when a task before it fails", () => {
    const requeue = { mode: "auto" as const, codes: [], max: undefined, delayMs: 50 };
    const run = new Driver([{}, { deps: [0], requeue }], { closed: true });
    run.adopt(1, 1);
    run.open();
    run.run(0);
    run.end(1, REQUEUE);
    expect(settled(run.end(0, failed()))).toMatchObject({ 1: { at: "blocked", by: 0 } });
    expect(run.machine.isFinished).toBe(true);
  });

  test("that succeeds when nothing new may start counts as it is", () => {
    const run = new Driver([{}, {}], { closed: true });
    run.adopt(0, 1);
    run.open();
    run.send({ type: "drain/requested" });
    expect(settled(run.end(0))).toEqual({ 0: { at: "done" } });
  });

  test("is found when a task is about to start, or is let go by a dead run", () => {
    const run = new Driver([{}, {}]);
    run.adopt(0, 8);
    expect(run.machine.view(0)).toMatchObject({ at: "queued", serial: 8 });
    run.send({ type: "task/held", task: 1 });
    run.adopt(1, 9);
    expect(run.machine.view(1)).toMatchObject({ at: "queued", serial: 9 });
    run.adopt(1, 9);
    expect(run.machine.counts().ignored).toBe(1);
  });
});

describe("a task that another run is at", () => {
  test("gives back what it held, and is checked again when that run lets go", () => {
    const run = new Driver([{}, {}], { limits: { slots: 1 }, checks: "by hand" });
    run.check(0, "stale");
    run.check(1, "stale");
    expect(starts(run.send({ type: "task/held", task: 0 }))).toEqual([1]);
    expect(run.machine.explain(0)).toEqual({ why: "held" });
    expect(run.send({ type: "task/released", task: 0 })).toEqual([{ type: "check", task: 0 }]);
    expect(run.machine.explain(0)).toEqual({ why: "checking" });
    expect(settled(run.check(0, "fresh"))).toEqual({ 0: { at: "fresh" } });
  });

  test("is not waited for when nothing new may start", () => {
    const run = new Driver([{}, {}]);
    run.send({ type: "task/held", task: 0 });
    run.run(1);
    run.send({ type: "drain/requested" });
    expect(run.send({ type: "task/released", task: 0 })).toEqual([]);
    run.end(1);
    expect(run.states()).toEqual(["cancelled", "done"]);
  });
});

describe("an attempt that cannot be seen", () => {
  test("keeps what it holds and is never started again meanwhile", () => {
    const run = new Driver([{}, {}], { limits: { slots: 1 } });
    run.run(0);
    run.unknown(0, "no route to host");
    expect(run.machine.explain(0)).toEqual({ why: "unknown", detail: "no route to host" });
    expect(run.machine.explain(1)).toMatchObject({ short: [{ resource: "slots", holders: [0] }] });
    expect(run.machine.onlyUnknownLeft).toBe(true);
    expect(run.machine.isFinished).toBe(false);
    run.send({ type: "attempt/started", task: 0, serial: 1 });
    expect(run.machine.explain(0)).toEqual({ why: "running" });
    expect(run.machine.onlyUnknownLeft).toBe(false);
    expect(starts(run.end(0))).toEqual([1]);
  });

  test("is not all that is left while a check, a wait or another run's work goes on", () => {
    const run = new Driver([{}, {}], { checks: "by hand" });
    run.check(0, "stale");
    run.run(0);
    run.unknown(0);
    expect(run.machine.onlyUnknownLeft).toBe(false);
    run.check(1, "fresh");
    expect(run.machine.onlyUnknownLeft).toBe(true);
  });

  test("may turn out never to have been submitted", () => {
    const run = new Driver([{}]);
    run.claim(0);
    run.unknown(0);
    run.refuse(0, "unavailable", 1);
    expect(run.wait(1)).toEqual([{ type: "resubmit", task: 0, serial: 1 }]);
  });
});

describe("what a task waits for", () => {
  test("is told for each state", () => {
    const run = new Driver([{}, { deps: [0] }, { deps: [0, 1] }], { checks: "by hand" });
    expect(run.machine.explain(2)).toEqual({ why: "dependencies", tasks: [0, 1] });
    run.check(0, "stale");
    expect(run.machine.explain(0)).toEqual({ why: "queued", detail: undefined });
    run.claim(0);
    run.send({ type: "attempt/submitted", task: 0, serial: 1 });
    run.send({ type: "attempt/queued", task: 0, serial: 1, why: "Priority" });
    expect(run.machine.explain(0)).toEqual({ why: "queued", detail: "Priority" });
    expect(run.machine.view(0)).toMatchObject({ at: "queued", detail: "Priority" });
    run.end(0);
    expect(run.machine.explain(0)).toEqual({ why: "final" });
    expect(run.machine.explain(2)).toEqual({ why: "dependencies", tasks: [1] });
  });
});

describe("mistakes of the engine", () => {
  test("are reported with the task and its state", () => {
    const run = new Driver([{}, { deps: [0] }]);
    expect(() => run.check(1, "stale")).toThrow(
      new Error("the machine was told `task/checked` about task 1, which is waiting"),
    );
    expect(() => run.check(7, "stale")).toThrow(
      new Error("the machine was told `task/checked` about no task of its plan: 7"),
    );
    expect(() => run.stop([-1])).toThrow(
      new Error("the machine was told `stop/requested` about no task of its plan: -1"),
    );
    expect(() => run.open()).toThrow(new Error("the machine was told `run/opened` twice"));
  });

  test("a wake-up that is not needed any more does nothing", () => {
    const requeue = { mode: "auto" as const, codes: [], max: undefined, delayMs: 5 };
    const run = new Driver([{ requeue }, {}]);
    run.run(0, 1);
    expect(ofType(run.end(0, REQUEUE), "wake")).toEqual([{ type: "wake", at: 5 }]);
    run.stop([0]);
    expect(run.wait(5)).toEqual([]);
  });
});
