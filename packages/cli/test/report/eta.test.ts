import { describe, expect, it } from "vitest";
import { timeLeft } from "../../src/report/eta.ts";
import { RunView } from "../../src/report/run-view.ts";
import { done, ref, script, started, taskStarted } from "./run-events.ts";

function view(...events: readonly Parameters<ReturnType<typeof script>>[]): RunView {
  const run = new RunView();
  const event = script();
  for (const [at, body] of events) run.apply(event(at, body));
  return run;
}

describe("the time left", () => {
  it("is not guessed without data", () => {
    expect(timeLeft(view([0, started({ a: 9 })], [1, taskStarted("a@x=1")]), 100)).toBeUndefined();
  });

  it("is what past runs say until there are samples", () => {
    const run = view([0, started({ a: 9 }, { estimateMs: [60_000, 90_000] })]);
    expect(timeLeft(run, 20_000)).toEqual([40_000, 70_000]);
    for (const task of ["a@x=1", "a@x=2", "a@x=3"]) run.apply(script()(20_000, fresh(task)));
    expect(timeLeft(run, 20_000)).toEqual([20_000, 40_000]);
  });

  it("spreads what is left over the tasks that run at once, by the durations seen", () => {
    const run = view(
      [0, started({ a: 9 }, { slots: 2 })],
      [10, done("a@x=1", 10_000)],
      [10, done("a@x=2", 10_000)],
      [10, done("a@x=3", 20_000)],
      [10, taskStarted("a@x=4")],
    );
    // One has run for 5 s of its 10 to 20; five wait; two at once.
    expect(timeLeft(run, 5010)).toEqual([(5000 + 5 * 10_000) / 2, (15_000 + 5 * 20_000) / 2]);
  });

  it("counts fresh tasks as no work", () => {
    const run = view(
      [0, started({ a: 100 }, { slots: 1 })],
      ...Array.from({ length: 97 }, (_, i): [number, ReturnType<typeof fresh>] => [
        1,
        fresh(`a@x=${i}`),
      ]),
      [10, done("a@x=97", 1000)],
      [10, done("a@x=98", 1000)],
      [10, done("a@x=99", 1000)],
    );
    expect(timeLeft(run, 10)).toBeUndefined();
  });

  it("is not known when all that was expected has passed", () => {
    const run = view([0, started({ a: 9 }, { estimateMs: [60_000, 90_000] })]);
    expect(timeLeft(run, 70_000)).toEqual([0, 20_000]);
    expect(timeLeft(run, 90_000)).toBeUndefined();
  });

  it("believes the progress of the last tasks that run", () => {
    const run = view(
      [0, started({ a: 1 })],
      [0, taskStarted("a")],
      [
        30_000,
        {
          type: "task/progress",
          ...ref("a"),
          done: 3,
          total: 12,
          unit: undefined,
          message: undefined,
        },
      ],
    );
    expect(timeLeft(run, 30_000)).toEqual([90_000, 90_000]);
  });
});

const fresh = (task: string) => ({ type: "task/fresh" as const, ...ref(task) });
