import { describe, expect, test } from "vitest";
import { Driver, failed, ofType, SUCCESS, settled, starts } from "./driver.ts";

describe("dependencies", () => {
  test("a task is checked when all its dependencies are done, and starts when it is stale", () => {
    const run = new Driver([{}, {}, { deps: [0, 1] }], { checks: "by hand" });
    expect(ofType(run.effects, "check").map(({ task }) => task)).toEqual([0, 1]);
    run.check(0, "stale");
    run.check(1, "stale");
    run.run(0, 1);
    expect(run.end(0)).toEqual([{ type: "settled", task: 0, state: { at: "done" } }]);
    expect(run.at(2)).toBe("waiting");
    expect(run.end(1)).toEqual([
      { type: "settled", task: 1, state: { at: "done" } },
      { type: "check", task: 2 },
    ]);
    expect(run.check(2, "stale")).toMatchObject([
      { type: "start", task: 2, reason: "first", retry: 0, requeue: 0 },
    ]);
  });

  test("fresh and skipped tasks are good for those that wait for them", () => {
    const run = new Driver([{}, {}, { deps: [0, 1] }], { checks: "by hand" });
    run.check(0, "fresh");
    expect(run.check(1, "skip")).toEqual([
      { type: "settled", task: 1, state: { at: "skipped" } },
      { type: "check", task: 2 },
    ]);
    expect(run.check(2, "fresh")).toEqual([
      { type: "settled", task: 2, state: { at: "fresh" } },
      { type: "finished" },
    ]);
  });

  test("a task that only groups is done with its dependencies, however long the chain", () => {
    const size = 20_000;
    const run = new Driver(
      Array.from({ length: size }, (_, task) => ({
        grouping: true,
        deps: task === 0 ? [] : [task - 1],
      })),
    );
    expect(run.machine.isFinished).toBe(true);
    expect(run.machine.counts().done).toBe(size);
  });

  test("a run without tasks is finished when it opens", () => {
    expect(new Driver([]).effects).toEqual([{ type: "finished" }]);
  });

  test("a check that fails is a failure of the task", () => {
    const run = new Driver([{}, { deps: [0] }], { checks: "by hand" });
    const outcome = failed("input-missing");
    const effects = run.send({ type: "task/checked", task: 0, verdict: "failed", outcome });
    expect(settled(effects)).toEqual({
      0: { at: "failed", outcome },
      1: { at: "blocked", by: 0 },
    });
  });
});

describe("resources", () => {
  test("no more run at once than there are slots, and the next starts when one ends", () => {
    const run = new Driver([{}, {}, {}], { limits: { slots: 2 } });
    expect(starts(run.effects)).toEqual([0, 1]);
    run.run(0, 1);
    expect(starts(run.end(0))).toEqual([2]);
  });

  test("without slots each task counts as its cpus, one when it does not say", () => {
    const run = new Driver(
      [{ resources: { cpusMilli: 2_000 } }, {}, { resources: { cpusMilli: 500 } }, {}],
      { limits: { cpusMilli: 4_000 } },
    );
    expect(starts(run.effects)).toEqual([0, 1, 2]);
    expect(run.machine.explain(3)).toEqual({
      why: "resources",
      short: [
        {
          resource: "cpus",
          needed: 1_000,
          free: 500,
          capacity: 4_000,
          foreign: 0,
          holders: [0, 1, 2],
        },
      ],
    });
  });

  test("with slots only declared cpus count", () => {
    const run = new Driver([{}, {}, {}, { resources: { cpusMilli: 1_500 } }], {
      limits: { slots: 9, cpusMilli: 1_000 },
    });
    expect(starts(run.effects)).toEqual([0, 1, 2, 3]);
  });

  test("a request for more cpus than there are takes all of them", () => {
    const run = new Driver([{ resources: { cpusMilli: 64_000 } }, {}], {
      limits: { cpusMilli: 2_000 },
    });
    expect(starts(run.effects)).toEqual([0]);
  });

  test("memory is never given out twice", () => {
    const run = new Driver(
      [{ resources: { memoryBytes: 6 } }, { resources: { memoryBytes: 3 } }, {}],
      { limits: { memoryBytes: 8 } },
    );
    expect(starts(run.effects)).toEqual([0, 2]);
    expect(run.machine.explain(1)).toMatchObject({
      why: "resources",
      short: [{ resource: "memory", needed: 3, free: 2, holders: [0] }],
    });
  });

  test("more memory than there is at all is a failure with the numbers", () => {
    const run = new Driver([{ resources: { memoryBytes: 64e9 } }], {
      limits: { memoryBytes: 16e9 },
    });
    expect(settled(run.effects)).toEqual({
      0: {
        at: "failed",
        outcome: {
          type: "failed",
          kind: "rejected",
          code: undefined,
          signal: undefined,
          message: "asks for 64 GB of memory, but there is only 16 GB; lower `resources.mem`",
        },
      },
    });
  });

  test("more of a pool than it holds is a failure with the numbers", () => {
    const run = new Driver([{ pools: { disk: 3 } }], { limits: { pools: { disk: 2 } } });
    expect(settled(run.effects)).toMatchObject({
      0: {
        outcome: {
          message:
            "asks for 3 of the pool `disk`, but it holds 2; lower `pools.disk` of the task or raise the pool",
        },
      },
    });
  });

  test("pools bind on every backend, slots and cpus only on this machine", () => {
    const remote = { backend: 1, pools: { licence: 1 } };
    const run = new Driver([{}, remote, remote, { backend: 1 }], {
      limits: { slots: 1, cpusMilli: 1_000, memoryBytes: 1, pools: { licence: 1 } },
      backends: [{ local: true }, { local: false }],
    });
    expect(starts(run.effects)).toEqual([0, 1, 3]);
    expect(run.machine.explain(2)).toMatchObject({
      why: "resources",
      short: [{ resource: { pool: "licence" }, needed: 1, free: 0, capacity: 1, holders: [1] }],
    });
  });

  test("what another run holds is not there", () => {
    const run = new Driver([{ resources: { memoryBytes: 3 } }, { pools: { a: 1 } }, {}], {
      closed: true,
      limits: { memoryBytes: 4, cpusMilli: 2_000, pools: { a: 1 } },
    });
    run.send({ type: "foreign/changed", cpusMilli: 1_000, memoryBytes: 2, pools: { a: 1 } });
    expect(starts(run.open())).toEqual([2]);
    const free = { cpusMilli: 0, memoryBytes: 0, pools: {} };
    expect(starts(run.send({ type: "foreign/changed", ...free }))).toEqual([0]);
  });

  test("limits may change while tasks run", () => {
    const limits = { slots: 1, cpusMilli: 4_000, memoryBytes: undefined, pools: { a: 1 } };
    const run = new Driver([{}, {}, {}], { limits });
    expect(starts(run.send({ type: "limits/changed", limits: { ...limits, slots: 3 } }))).toEqual([
      1, 2,
    ]);
    run.run(0, 1, 2);
    expect(run.send({ type: "limits/changed", limits: { ...limits, slots: 1 } })).toEqual([]);
  });

  test("an adopted attempt holds what it holds, although that is more than there is", () => {
    const run = new Driver([{ resources: { memoryBytes: 9 } }, { resources: { memoryBytes: 1 } }], {
      closed: true,
      limits: { memoryBytes: 4 },
    });
    run.adopt(0, 7);
    run.open();
    expect(run.machine.explain(1)).toMatchObject({ short: [{ free: -5, holders: [0] }] });
    expect(starts(run.end(0, failed()))).toEqual([]);
    expect(run.machine.isFinished).toBe(true);
  });

  test("a task that wants to run alone waits for the others, and they for it", () => {
    const run = new Driver([{}, { exclusive: true }, {}], { limits: { slots: 3 } });
    expect(starts(run.effects)).toEqual([0]);
    expect(run.machine.explain(1)).toEqual({ why: "alone", running: [0] });
    expect(run.machine.explain(2)).toEqual({ why: "reserved", for: 1 });
    run.run(0);
    expect(starts(run.end(0))).toEqual([1]);
    expect(run.machine.explain(2)).toEqual({ why: "alone", running: [1] });
    run.run(1);
    expect(starts(run.end(1))).toEqual([2]);
  });
});

describe("order", () => {
  test("priority goes before the length of the way to the end, and that before the file", () => {
    const run = new Driver(
      [{}, { weight: 5 }, { weight: 9 }, { priority: 1 }, { weight: 9 }, { priority: -1 }],
      { limits: { slots: 1 } },
    );
    const order: number[] = [];
    for (let [task] = starts(run.effects); task !== undefined; [task] = starts(run.end(task))) {
      order.push(task);
      run.run(task);
    }
    // The first one started before the others were ready.
    expect(order).toEqual([0, 3, 2, 4, 1, 5]);
  });

  test("what fits overtakes what does not", () => {
    const big = { resources: { memoryBytes: 8 }, priority: 1 };
    const run = new Driver(
      [{ resources: { memoryBytes: 5 } }, big, { resources: { memoryBytes: 2 } }],
      {
        limits: { memoryBytes: 8 },
      },
    );
    expect(starts(run.effects)).toEqual([0, 2]);
  });

  test("a large request is overtaken only so often, then what it needs is kept for it", () => {
    const small = { resources: { memoryBytes: 2 } };
    const big = { resources: { memoryBytes: 4 }, priority: 1 };
    const light = {};
    const run = new Driver([small, small, big, ...Array(30).fill(small), light], {
      limits: { memoryBytes: 4 },
      checks: "by hand",
    });
    const running: number[] = [];
    for (let task = 0; task < 33; task += 1) running.push(...starts(run.check(task, "stale")));
    let ended = 0;
    while (run.machine.explain(32).why !== "reserved") {
      const task = running.shift() as number;
      run.run(task);
      running.push(...starts(run.end(task)));
      ended += 1;
    }
    // Sixteen overtook it; of the last two of them, one has ended.
    expect(ended).toBe(17);
    expect(run.machine.explain(32)).toEqual({ why: "reserved", for: 2 });
    expect(starts(run.check(33, "stale"))).toEqual([33]);
    run.run(...running);
    expect(starts(run.end(running[0] as number))).toEqual([2]);
  });

  test("when the large request is taken out, what was kept for it is free", () => {
    const small = { resources: { memoryBytes: 1 } };
    const run = new Driver(
      [small, { exclusive: true, priority: 1 }, { resources: { memoryBytes: 1 } }],
      { limits: { memoryBytes: 2 } },
    );
    expect(starts(run.effects)).toEqual([0]);
    expect(starts(run.stop([1]))).toEqual([2]);
  });

  test("after 64 kinds of requests that do not fit the search waits for the next end", () => {
    const kinds = Array.from({ length: 70 }, (_, index) => ({
      resources: { memoryBytes: 100 + index },
      priority: 1,
    }));
    const last = { pools: { a: 1 } };
    const run = new Driver(
      [{ pools: { a: 1 }, priority: 1 }, { resources: { memoryBytes: 150 } }, ...kinds, last],
      { limits: { memoryBytes: 200, pools: { a: 1 } } },
    );
    expect(starts(run.effects)).toEqual([0, 1]);
    run.run(0, 1);
    expect(starts(run.end(0))).toEqual([]);
    expect(run.machine.explain(72)).toEqual({ why: "turn" });
    expect(starts(run.end(1))).toEqual([2]);
    expect(starts(run.stop(kinds.slice(1).map((_, index) => index + 3)))).toEqual([72]);
  });
});

describe("the end", () => {
  test("nothing happens after `finished`, and what comes late is counted", () => {
    const run = new Driver([{}]);
    run.run(0);
    expect(run.end(0, SUCCESS)).toEqual([
      { type: "settled", task: 0, state: { at: "done" } },
      { type: "finished" },
    ]);
    expect(run.end(0, failed())).toEqual([]);
    expect(run.machine.isFinished).toBe(true);
    expect(run.machine.counts()).toMatchObject({ total: 1, done: 1, live: 0, ignored: 1 });
  });

  test("events of an earlier attempt change nothing", () => {
    const retries = { max: 1, causes: [], backoffMs: 0, backoffMaxMs: 0, escalate: {} };
    const run = new Driver([{ retries }]);
    run.run(0);
    run.end(0, failed());
    run.run(0);
    const late = { type: "attempt/ended", task: 0, serial: 1, outcome: failed() } as const;
    expect(run.send({ ...late, progressed: false })).toEqual([]);
    expect(run.at(0)).toBe("running");
    expect(run.machine.counts().ignored).toBe(1);
  });
});
