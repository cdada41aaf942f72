import { describe, expect, test } from "vitest";
import { Driver, failed, interrupted, OOM, ofType, REQUEUE, settled, starts } from "./driver.ts";

const retries = (max: number, rest = {}) => ({
  retries: { max, causes: [], backoffMs: 0, backoffMaxMs: 0, escalate: {}, ...rest },
});

const requeue = (rest = {}) => ({
  requeue: { mode: "auto" as const, codes: [], max: undefined, delayMs: 0, ...rest },
});

/** Runs the first task through these ends; the last effects. */
function through(run: Driver, ...ends: Parameters<Driver["end"]>[1][]) {
  let effects = run.effects as ReturnType<Driver["end"]>;
  for (const outcome of ends) {
    run.run(0);
    effects = run.end(0, outcome);
  }
  return effects;
}

describe("a failed task", () => {
  test("starts nothing new, and what runs ends", () => {
    const run = new Driver([{}, {}, {}, { deps: [0] }, { deps: [1] }], { limits: { slots: 2 } });
    run.run(0, 1);
    expect(settled(run.end(0, failed()))).toEqual({
      0: { at: "failed", outcome: failed() },
      3: { at: "blocked", by: 0 },
    });
    expect(run.machine.isHalted).toBe(true);
    expect(run.machine.explain(2)).toEqual({ why: "halted" });
    const effects = run.end(1);
    expect(ofType(effects, "check")).toEqual([]);
    expect(settled(effects)).toEqual({
      1: { at: "done" },
      2: { at: "cancelled", outcome: undefined },
      4: { at: "cancelled", outcome: undefined },
    });
    expect(run.machine.isFinished).toBe(true);
  });

  test("with keep-going stops only what depends on it, and names itself as the reason", () => {
    const run = new Driver([{}, { deps: [0] }, { deps: [1] }, {}], {
      limits: { slots: 1 },
      options: { keepGoing: true },
    });
    run.run(0);
    const effects = run.end(0, failed());
    expect(settled(effects)).toMatchObject({
      1: { at: "blocked", by: 0 },
      2: { at: "blocked", by: 0 },
    });
    expect(starts(effects)).toEqual([3]);
    expect(run.machine.view(2)).toMatchObject({ at: "blocked", by: 0 });
  });

  test("with fail-fast stops what runs", () => {
    const run = new Driver([{}, {}], { options: { failFast: true, keepGoing: true } });
    run.run(0, 1);
    expect(ofType(run.end(0, failed()), "stop")).toEqual([
      { type: "stop", task: 1, serial: 1, how: "graceful", reason: "shutdown" },
    ]);
    expect(settled(run.end(1, REQUEUE))).toEqual({ 1: { at: "cancelled", outcome: REQUEUE } });
  });

  test("of a fail-fast group stops the others of its group only", () => {
    const member = { group: 0, failFast: true };
    const run = new Driver([member, member, member, {}, { deps: [2] }], {
      limits: { slots: 3 },
      options: { keepGoing: true },
      checks: "by hand",
    });
    for (const task of [0, 1, 3]) run.check(task, "stale");
    run.run(0, 1, 3);
    const effects = run.end(0, failed());
    expect(ofType(effects, "stop").map(({ task }) => task)).toEqual([1]);
    expect(settled(effects)).toMatchObject({
      2: { at: "cancelled", outcome: undefined },
      4: { at: "blocked", by: 2 },
    });
    expect(run.at(3)).toBe("running");
  });

  test("that is allowed to fail is good for those that wait for it", () => {
    const run = new Driver([{ allowFailure: true }, { deps: [0] }]);
    run.run(0);
    expect(starts(run.end(0, failed()))).toEqual([1]);
    expect(run.machine.counts()).toMatchObject({ failed: 1, allowedFailures: 1 });
    expect(run.machine.isHalted).toBe(false);
  });

  test("that waits for its retry when the run stops has failed", () => {
    const run = new Driver([{ ...retries(1, { backoffMs: 9, backoffMaxMs: 9 }) }, {}]);
    run.run(0, 1);
    run.end(0, failed());
    expect(settled(run.end(1, failed("exit", 2)))).toEqual({
      0: { at: "failed", outcome: failed() },
      1: { at: "failed", outcome: failed("exit", 2) },
    });
  });

  test("is not retried once the run starts nothing new, and a requeued one is cancelled", () => {
    const run = new Driver([{}, retries(3), {}]);
    run.run(0, 1, 2);
    run.end(0, failed());
    expect(settled(run.end(1, OOM))).toEqual({ 1: { at: "failed", outcome: OOM } });
    expect(settled(run.end(2, REQUEUE))).toEqual({ 2: { at: "cancelled", outcome: REQUEUE } });
  });
});

describe("retries", () => {
  test("wait twice as long each time, up to the limit, and then the task has failed", () => {
    const run = new Driver([retries(3, { backoffMs: 10, backoffMaxMs: 25 })]);
    const waits: number[] = [];
    for (let retry = 1; retry <= 3; retry += 1) {
      run.run(0);
      const [again, wake] = run.end(0, failed());
      expect(again).toMatchObject({ type: "again", task: 0, reason: "retry", outcome: failed() });
      expect(run.machine.explain(0)).toMatchObject({ why: "backoff", reason: "retry" });
      const wait = (wake?.type === "wake" ? wake.at : 0) - run.now;
      waits.push(wait);
      expect(run.wait(wait - 1)).toMatchObject([{ type: "wake" }]);
      expect(run.wait(1)).toMatchObject([{ type: "start", reason: "retry", retry, requeue: 0 }]);
    }
    expect(waits).toEqual([10, 20, 25]);
    run.run(0);
    expect(settled(run.end(0, failed()))).toMatchObject({ 0: { at: "failed" } });
  });

  test("are for the causes that are named, or for any", () => {
    const named = retries(9, { causes: ["oom", "exit:7", "timeout", "lost", "preempted"] });
    for (const outcome of [
      OOM,
      failed("exit", 7),
      failed("timeout", undefined),
      failed("hung", undefined),
      interrupted("lost", false),
      interrupted("preempted", false),
      interrupted("time-limit", false),
    ]) {
      expect(starts(through(new Driver([named]), outcome))).toEqual([0]);
    }
    expect(starts(through(new Driver([named]), failed("exit", 8)))).toEqual([]);
    expect(starts(through(new Driver([named]), failed("target-missing", undefined)))).toEqual([]);
    const any = new Driver([retries(1)]);
    expect(starts(through(any, failed("target-missing", undefined)))).toEqual([0]);
  });

  test("are not wasted on what trying again cannot help", () => {
    for (const kind of ["rejected", "input-missing", "internal"] as const) {
      const effects = through(new Driver([retries(5)]), failed(kind, undefined));
      expect(settled(effects)).toMatchObject({ 0: { at: "failed" } });
    }
  });

  test("say why the attempt is made again", () => {
    const reasons = [
      [interrupted("lost", false), "host-lost"],
      [interrupted("node-failed", false), "host-lost"],
      [interrupted("preempted", false), "preempt"],
      [interrupted("time-limit", false), "deadline"],
      [interrupted("stopped", false), "requeue"],
      [OOM, "retry"],
    ] as const;
    for (const [outcome, reason] of reasons) {
      const effects = through(new Driver([retries(1)]), outcome);
      expect(effects).toMatchObject([
        { type: "again", reason },
        { type: "start", reason },
      ]);
    }
  });

  test("ask for more where the cause says so, but not for more memory than there is", () => {
    const run = new Driver(
      [
        {
          resources: { memoryBytes: 3, cpusMilli: 1_000, gpuMemoryBytes: 5, timeMs: 10 },
          ...retries(3, { escalate: { oom: { mem: 2, gpu_mem: 1.5, time: 2, cpus: 2 } } }),
        },
        { resources: { memoryBytes: 3 } },
      ],
      { limits: { memoryBytes: 10 } },
    );
    run.run(0, 1);
    expect(run.end(0, OOM)[1]).toMatchObject({
      resources: { memoryBytes: 6, cpusMilli: 2_000, gpuMemoryBytes: 8, timeMs: 20 },
    });
    run.run(0);
    expect(starts(run.end(0, OOM))).toEqual([]);
    expect(run.machine.explain(0)).toMatchObject({ why: "resources", short: [{ needed: 10 }] });
    expect(run.end(1)).toMatchObject([
      { type: "settled", task: 1 },
      { type: "start", task: 0, retry: 2, resources: { memoryBytes: 10 } },
    ]);
    run.run(0);
    expect(run.end(0, failed())[1]).toMatchObject({ retry: 3, resources: { memoryBytes: 10 } });
  });

  test("escalate without a ceiling on other backends, and leave alone what was not asked for", () => {
    const policy = retries(1, { escalate: { oom: { mem: 2, cpus: 2 } } });
    const remote = new Driver([{ ...policy, resources: { memoryBytes: 9 }, backend: 1 }], {
      limits: { memoryBytes: 10 },
      backends: [{ local: true }, { local: false }],
    });
    expect(through(remote, OOM)[1]).toMatchObject({ resources: { memoryBytes: 18 } });
    const onlyMemory = retries(1, { escalate: { oom: { mem: 2 } } });
    const both = new Driver([{ ...onlyMemory, resources: { memoryBytes: 9, cpusMilli: 1_000 } }]);
    expect(through(both, OOM)[1]).toMatchObject({
      resources: { memoryBytes: 18, cpusMilli: 1_000 },
    });
    expect(through(new Driver([policy]), OOM)[1]).toMatchObject({
      resources: { memoryBytes: undefined, cpusMilli: undefined },
    });
  });
});

describe("requeues", () => {
  test("do not use up retries", () => {
    const run = new Driver([{ ...retries(1), ...requeue() }]);
    for (let count = 1; count <= 5; count += 1) {
      run.run(0);
      expect(run.end(0, REQUEUE, true)).toMatchObject([
        { type: "again", reason: "requeue" },
        { type: "start", reason: "requeue", retry: 0, requeue: count },
      ]);
    }
    run.run(0);
    expect(run.end(0, failed())[1]).toMatchObject({ retry: 1, requeue: 5 });
  });

  test("wait as long as the task says", () => {
    const run = new Driver([requeue({ delayMs: 7 })]);
    run.run(0);
    run.now = 100;
    expect(run.end(0, REQUEUE)).toMatchObject([
      { type: "again", at: 107 },
      { type: "wake", at: 107 },
    ]);
    expect(starts(run.wait(7))).toEqual([0]);
  });

  test("three in a row without progress are a failure", () => {
    const message =
      "requeued 3 times in a row without progress: no newer checkpoint, no progress event and no change in the checkpoint directory";
    const run = new Driver([requeue()]);
    run.run(0);
    run.end(0, REQUEUE);
    run.run(0);
    run.end(0, REQUEUE, true);
    expect(settled(through(run, REQUEUE, REQUEUE, REQUEUE))).toEqual({
      0: {
        at: "failed",
        outcome: { type: "failed", kind: "no-progress", code: 75, signal: undefined, message },
      },
    });
  });

  test("a retry in between starts the count of idle requeues anew", () => {
    const run = new Driver([{ ...retries(1), ...requeue() }]);
    expect(settled(through(run, REQUEUE, REQUEUE, failed(), REQUEUE, REQUEUE))).toEqual({});
  });

  test("restarts by the system itself count as requeues", () => {
    const run = new Driver([requeue({ max: 2 })]);
    run.run(0);
    const ended = { type: "attempt/ended", task: 0, outcome: REQUEUE, progressed: true } as const;
    run.send({ ...ended, serial: 1, restarts: 1 });
    expect(run.machine.view(0).spent.requeues).toBe(2);
    run.run(0);
    run.send({ ...ended, serial: 2 });
    expect(run.machine.view(0)).toMatchObject({
      at: "failed",
      outcome: {
        kind: "too-many-requeues",
        message: "asked to be requeued again after 2 requeues; `max_requeues` allows 2",
      },
    });
  });

  test("more than `max_requeues` are a failure", () => {
    const run = new Driver([requeue({ max: 1 })]);
    expect(settled(through(run, REQUEUE, REQUEUE))).toMatchObject({
      0: {
        outcome: {
          kind: "too-many-requeues",
          message: "asked to be requeued again after 1 requeues; `max_requeues` allows 1",
        },
      },
    });
  });

  test("with `never` are a failure like any other", () => {
    const never = requeue({ mode: "never" });
    expect(settled(through(new Driver([never]), REQUEUE))).toMatchObject({
      0: {
        outcome: {
          kind: "exit",
          code: 75,
          message: "exit 75; `requeue: never` makes that a failure",
        },
      },
    });
    const retried = new Driver([{ ...never, ...retries(1, { causes: ["exit:75"] }) }]);
    expect(through(retried, REQUEUE)[1]).toMatchObject({ type: "start", retry: 1, requeue: 0 });
  });

  test("an interrupted attempt is taken up again when it can be resumed, or always", () => {
    const lost = interrupted("preempted", false);
    expect(through(new Driver([{}]), interrupted("preempted"))).toMatchObject([
      { type: "again", reason: "preempt" },
      { type: "start", requeue: 1, retry: 0 },
    ]);
    expect(settled(through(new Driver([{}]), lost))).toEqual({
      0: { at: "failed", outcome: lost },
    });
    const always = new Driver([requeue({ mode: "always" })]);
    expect(starts(through(always, lost))).toEqual([0]);
    const never = new Driver([requeue({ mode: "never" })]);
    expect(settled(through(never, interrupted("preempted")))).toMatchObject({
      0: { at: "failed" },
    });
  });

  test("carry the reason of the stop that led to them", () => {
    for (const reason of ["preempt", "deadline"] as const) {
      const run = new Driver([{}]);
      run.run(0);
      expect(run.stop([0], "graceful", reason)).toMatchObject([{ type: "stop", reason }]);
      expect(run.end(0, REQUEUE)).toMatchObject([{ type: "again", reason }, { reason }]);
    }
  });

  test("of an adopted attempt count on", () => {
    const run = new Driver([requeue()], { closed: true });
    run.adopt(0, 4, { requeues: 6, idle: 2 });
    run.open();
    expect(run.machine.view(0).spent).toMatchObject({ retries: 0, requeues: 6, idle: 2 });
    expect(settled(run.end(0, REQUEUE))).toMatchObject({ 0: { outcome: { kind: "no-progress" } } });
  });
});

describe("an attempt whose program never ran", () => {
  const UNBEGUN = interrupted("not-begun");

  test("is made again after a pause, for free", () => {
    const run = new Driver([requeue({ mode: "never", max: 0 })]);
    for (const pause of [5000, 10_000, 20_000]) {
      run.run(0);
      expect(run.end(0, UNBEGUN)).toMatchObject([
        { type: "again", at: run.now + pause, reason: "host-lost", outcome: UNBEGUN },
        { type: "wake" },
      ]);
      expect(ofType(run.wait(pause), "start")).toMatchObject([{ retry: 0, requeue: 0 }]);
    }
  });

  test("is given up at the fourth in a row, unless there are retries", () => {
    const fourth = (run: Driver) => {
      for (const pause of [5000, 10_000, 20_000]) {
        run.run(0);
        run.end(0, UNBEGUN);
        run.wait(pause);
      }
      run.run(0);
      return run.end(0, UNBEGUN);
    };
    const message = "not-begun; it could not be started 4 times in a row";
    expect(settled(fourth(new Driver([{}])))).toEqual({
      0: { at: "failed", outcome: { ...UNBEGUN, message } },
    });
    const retried = new Driver([retries(1, { causes: ["lost"] })]);
    expect(ofType(fourth(retried), "start")).toMatchObject([{ retry: 1 }]);
    retried.run(0);
    expect(settled(retried.end(0, UNBEGUN))).toMatchObject({
      0: { outcome: { message: "not-begun; it could not be started 5 times in a row" } },
    });
  });

  test("counts anew once the program has run", () => {
    const run = new Driver([retries(1)]);
    for (const end of [UNBEGUN, UNBEGUN, UNBEGUN, failed(), UNBEGUN, UNBEGUN, UNBEGUN]) {
      run.run(0);
      expect(settled(run.end(0, end))).toEqual({});
      run.wait(20_000);
    }
  });
});
