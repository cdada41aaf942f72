import { describe, expect, test } from "vitest";
import { AT, STATES, type StateName, TABLE, type TaskEvent } from "../../src/machine/states.ts";
import type { Posted } from "../../src/testing/life.ts";
import { Driver, failed, interrupted, OOM, REQUEUE, SUCCESS } from "./driver.ts";

/** The task that is looked at is the first; the second keeps the run from ending. */
const wait = (max: number) => ({
  retries: { max, causes: ["oom"], backoffMs: 5, backoffMaxMs: 5, escalate: {} },
});

const open = (closed = false): Driver =>
  new Driver([wait(1), { backend: 1 }, { deps: [1] }], {
    checks: "by hand",
    closed,
    options: { keepGoing: true },
    backends: [{ local: true }, { local: false }],
  });

function ready(slots: number | undefined): Driver {
  const run = new Driver([wait(1), { priority: 1, grouping: false }, { deps: [1] }], {
    checks: "by hand",
    limits: { slots },
    options: { keepGoing: true },
  });
  run.check(1, "stale");
  run.check(0, "stale");
  return run;
}

/** Brings the first task into a state. */
const INTO: Readonly<Record<StateName, () => Driver>> = {
  waiting: () => open(true),
  checking: () => open(),
  ready: () => ready(1),
  starting: () => ready(undefined),
  held: () => {
    const run = INTO.starting();
    run.send({ type: "task/held", task: 0 });
    return run;
  },
  submitting: () => {
    const run = INTO.starting();
    run.claim(0);
    return run;
  },
  deferred: () => {
    const run = INTO.submitting();
    run.refuse(0, "unavailable");
    return run;
  },
  queued: () => {
    const run = INTO.submitting();
    run.send({ type: "attempt/submitted", task: 0, serial: 1 });
    return run;
  },
  running: () => {
    const run = INTO.queued();
    run.send({ type: "attempt/started", task: 0, serial: 1 });
    return run;
  },
  unknown: () => {
    const run = INTO.running();
    run.unknown(0);
    return run;
  },
  backoff: () => {
    const run = INTO.running();
    run.end(0, OOM);
    return run;
  },
  fresh: () => {
    const run = open();
    run.check(0, "fresh");
    return run;
  },
  skipped: () => {
    const run = open();
    run.check(0, "skip");
    return run;
  },
  done: () => {
    const run = INTO.running();
    run.end(0);
    return run;
  },
  failed: () => {
    const run = INTO.running();
    run.end(0, failed());
    return run;
  },
  cancelled: () => {
    const run = open();
    run.stop([0]);
    return run;
  },
  pruned: () => {
    const run = open();
    run.stop([0], "graceful", "pruned");
    return run;
  },
  blocked: () => {
    const run = new Driver([{ deps: [1] }, {}, {}], { options: { keepGoing: true } });
    run.run(1);
    run.end(1, failed());
    return run;
  },
};

const ended = (outcome: typeof SUCCESS): Posted => ({
  type: "attempt/ended",
  task: 0,
  serial: 1,
  outcome,
  progressed: false,
});

const refused = (failure: "rejected" | "unavailable" | "misconfigured"): Posted => ({
  type: "attempt/refused",
  task: 0,
  serial: 1,
  failure,
  retryAfterMs: undefined,
  message: failure,
});

/** The ways in which each event can come. */
const EVENTS: Readonly<Record<TaskEvent["type"], readonly Posted[]>> = {
  "task/checked": [
    { type: "task/checked", task: 0, verdict: "fresh" },
    { type: "task/checked", task: 0, verdict: "stale" },
    { type: "task/checked", task: 0, verdict: "skip" },
    { type: "task/checked", task: 0, verdict: "failed", outcome: failed("input-missing") },
  ],
  "task/held": [{ type: "task/held", task: 0 }],
  "task/released": [{ type: "task/released", task: 0 }],
  "attempt/claimed": [{ type: "attempt/claimed", task: 0, serial: 1 }],
  "attempt/adopted": [{ type: "attempt/adopted", task: 0, serial: 1, requeues: 0, idle: 0 }],
  "attempt/submitted": [{ type: "attempt/submitted", task: 0, serial: 1 }],
  "attempt/refused": [refused("rejected"), refused("unavailable"), refused("misconfigured")],
  "attempt/voided": [{ type: "attempt/voided", task: 0, serial: 1 }],
  "attempt/queued": [{ type: "attempt/queued", task: 0, serial: 1, why: undefined }],
  "attempt/started": [{ type: "attempt/started", task: 0, serial: 1 }],
  "attempt/unknown": [{ type: "attempt/unknown", task: 0, serial: 1, why: "unreachable" }],
  "attempt/ended": [
    ended(SUCCESS),
    ended(failed()),
    ended(OOM),
    ended(REQUEUE),
    ended(interrupted("lost", false)),
    ended({ type: "cancelled", message: "cancelled" }),
    ended({ type: "pruned", message: "pruned" }),
  ],
};

const PAIRS = STATES.flatMap((state) =>
  (Object.keys(EVENTS) as TaskEvent["type"][]).map((event) => [state, event] as const),
);

describe("the table of states and events", () => {
  test("has a row for each state and a column for each event", () => {
    expect(Object.keys(TABLE)).toEqual(expect.arrayContaining([...STATES]));
    for (const row of Object.values(TABLE)) {
      expect(Object.keys(row).sort()).toEqual(Object.keys(EVENTS).sort());
    }
    expect(Object.values(AT)).toEqual(STATES.map((_, code) => code));
  });

  test.each(STATES)("a task can be brought to be %s", (state) => {
    expect(INTO[state]().at(0)).toBe(state);
  });

  test.each(PAIRS)("a task that is %s and `%s` do what the table says", (state, type) => {
    const cell = TABLE[state][type];
    for (const event of EVENTS[type]) {
      const run = INTO[state]();
      const before = run.machine.counts();
      if (cell === "bug") {
        expect(() => run.send(event)).toThrow(
          new Error(`the machine was told \`${type}\` about task 0, which is ${state}`),
        );
      } else if (cell === "ignore") {
        expect(run.send(event)).toEqual([]);
        expect(run.machine.counts()).toEqual({ ...before, ignored: before.ignored + 1 });
      } else {
        run.send(event);
        expect(cell).toContain(run.at(0));
        expect(run.machine.counts().ignored).toBe(before.ignored);
      }
    }
  });

  test.each(PAIRS)("a task that is %s takes no `%s` of another attempt", (state, type) => {
    const assigns = type === "attempt/claimed" || type === "attempt/adopted";
    for (const event of EVENTS[type]) {
      if (!("serial" in event) || assigns) continue;
      const run = INTO[state]();
      const { ignored } = run.machine.counts();
      expect(run.send({ ...event, serial: 99 } as Posted)).toEqual([]);
      expect(run.at(0)).toBe(state);
      expect(run.machine.counts().ignored).toBe(ignored + 1);
    }
  });
});
