import { describe, expect, test } from "vitest";
import { CANCELLED, Driver, failed, ofType, settled, starts } from "./driver.ts";

const retries = (max: number, rest = {}) => ({
  retries: { max, causes: [], backoffMs: 0, backoffMaxMs: 0, escalate: {}, ...rest },
});

describe("a submit that is refused", () => {
  test("for good is a failure that is not retried", () => {
    const run = new Driver([retries(3)]);
    run.claim(0);
    expect(settled(run.refuse(0, "rejected"))).toMatchObject({
      0: { at: "failed", outcome: { kind: "rejected", message: "refused: rejected" } },
    });
  });

  test("because the backend is away is tried again for as long as it takes, holding its claim", () => {
    const run = new Driver([{}, {}], { limits: { slots: 1 } });
    run.claim(0);
    const waits: number[] = [];
    for (let refusal = 0; refusal < 9; refusal += 1) {
      const [wake] = run.refuse(0, "unavailable");
      expect(run.machine.explain(0)).toMatchObject({
        why: "unavailable",
        detail: "refused: unavailable",
      });
      waits.push((wake?.type === "wake" ? wake.at : 0) - run.now);
      expect(run.at(1)).toBe("ready");
      expect(run.wait(waits.at(-1) ?? 0)).toEqual([{ type: "resubmit", task: 0, serial: 1 }]);
    }
    expect(waits).toEqual([1e3, 2e3, 4e3, 8e3, 16e3, 32e3, 60e3, 60e3, 60e3]);
    run.send({ type: "attempt/submitted", task: 0, serial: 1 });
    expect(run.at(0)).toBe("queued");
    expect(run.machine.view(0).spent.retries).toBe(0);
  });

  test("waits as long as the backend says, and anew after it was accepted", () => {
    const run = new Driver([{}]);
    run.claim(0);
    expect(run.refuse(0, "unavailable", 5)).toEqual([{ type: "wake", at: 5 }]);
    run.wait(5);
    run.send({ type: "attempt/submitted", task: 0, serial: 1 });
    run.unknown(0);
    expect(run.refuse(0, "unavailable")).toEqual([{ type: "wake", at: 1_005 }]);
  });

  test("although it had an effect is found running, and is not submitted again", () => {
    const run = new Driver([{}]);
    run.claim(0);
    run.refuse(0, "unavailable");
    run.send({ type: "attempt/started", task: 0, serial: 1 });
    expect(run.wait(5_000)).toEqual([]);
    expect(run.at(0)).toBe("running");
  });

  test("and turns out to have had no effect leaves the task as it was", () => {
    const run = new Driver([retries(0), {}]);
    run.claim(0);
    run.refuse(0, "unavailable");
    const voided = { type: "attempt/voided", task: 0, serial: 1 } as const;
    expect(run.send(voided)).toMatchObject([{ type: "start", reason: "first", retry: 0 }]);
    run.claim(0);
    expect(run.refuse(0, "unavailable")).toEqual([{ type: "wake", at: 2_000 }]);
    run.stop([0]);
    expect(settled(run.send({ ...voided, serial: 2 }))).toEqual({
      0: { at: "cancelled", outcome: undefined },
    });
  });

  test("of an adopted attempt that never was makes its task wait for those before it", () => {
    const run = new Driver([{}, { deps: [0] }, { deps: [0] }], {
      closed: true,
      options: { keepGoing: true },
    });
    run.adopt(1, 4);
    run.adopt(2, 4);
    run.open();
    run.send({ type: "attempt/voided", task: 1, serial: 4 });
    expect(run.at(1)).toBe("waiting");
    run.run(0);
    run.end(0, failed());
    expect(settled(run.send({ type: "attempt/voided", task: 2, serial: 4 }))).toEqual({
      2: { at: "blocked", by: 0 },
    });
  });

  test("because the backend is set up wrongly blocks everything that needs that backend", () => {
    const run = new Driver(
      [{}, {}, retries(1, { backoffMs: 5, backoffMaxMs: 5 }), { backend: 1 }, { deps: [3] }],
      {
        backends: [{ local: true }, { local: false }],
        limits: { slots: 2 },
        options: { keepGoing: true },
        checks: "by hand",
      },
    );
    for (const task of [0, 2, 1, 3]) run.check(task, "stale");
    run.run(2, 3);
    run.claim(0);
    run.end(2, failed());
    expect(starts(run.effects)).toEqual([0, 2, 3, 1]);
    run.send({ type: "task/held", task: 1 });
    const effects = run.refuse(0, "misconfigured");
    expect(settled(effects)).toMatchObject({
      0: { at: "failed", outcome: { kind: "rejected", message: "refused: misconfigured" } },
      2: { at: "blocked", by: 0 },
    });
    run.send({ type: "task/released", task: 1 });
    expect(settled(run.check(1, "stale"))).toEqual({ 1: { at: "blocked", by: 0 } });
    run.end(3);
    expect(settled(run.check(4, "fresh"))).toEqual({ 4: { at: "fresh" } });
  });

  test("when the run starts nothing more is taken back", () => {
    const run = new Driver([{}, {}, {}]);
    run.claim(0);
    run.claim(2);
    run.run(1);
    run.refuse(0, "unavailable");
    expect(ofType(run.end(1, failed()), "stop")).toEqual([
      { type: "stop", task: 0, serial: 1, how: "graceful", reason: "shutdown" },
    ]);
    expect(ofType(run.refuse(2, "unavailable"), "stop")).toMatchObject([{ task: 2 }]);
    expect(ofType(run.wait(60_000), "resubmit")).toEqual([]);
    run.end(2, CANCELLED);
    run.end(0, CANCELLED);
    expect(run.states()).toEqual(["cancelled", "failed", "cancelled"]);
  });
});
