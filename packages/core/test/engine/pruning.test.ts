import { fc, test as check } from "@fast-check/vitest";
import { describe, expect, test } from "vitest";
import { Trials } from "../../src/engine/pruning.ts";
import type { Pruning } from "../../src/model/task.ts";

const MEDIAN: Pruning = {
  metric: "acc",
  direction: "max",
  rule: { kind: "median", after: 2, trials: 2 },
};
const ASHA: Pruning = {
  metric: "acc",
  direction: "max",
  rule: { kind: "asha", first: 1, last: 9, factor: 3 },
};

/** Tells a trial's values from step 1 on; the step at which it is ended. */
function tell(trials: Trials, trial: string, values: readonly number[]): number | undefined {
  for (const [index, acc] of values.entries()) {
    if (trials.saw(trial, index + 1, { acc })) return index + 1;
  }
  return undefined;
}

describe("the median rule", () => {
  test("ends a trial whose best is below what others had on average", () => {
    const trials = new Trials(MEDIAN);
    expect(tell(trials, "a", [5, 5, 5])).toBeUndefined();
    expect(tell(trials, "b", [6, 6, 6])).toBeUndefined();
    expect(tell(trials, "c", [1, 4, 4])).toBe(2);
    expect(tell(trials, "d", [1, 9, 1])).toBeUndefined();
  });

  test("waits for its first step and for enough others", () => {
    const trials = new Trials(MEDIAN);
    expect(tell(trials, "a", [5, 5])).toBeUndefined();
    expect(tell(trials, "b", [0, 0])).toBeUndefined();
    expect(trials.saw("c", 1, { acc: -1 })).toBe(false);
    expect(trials.saw("c", 2, { acc: -1 })).toBe(true);
  });

  test("minimises when the objective says so", () => {
    const trials = new Trials({ ...MEDIAN, direction: "min" });
    tell(trials, "a", [5, 5]);
    tell(trials, "b", [6, 6]);
    expect(tell(trials, "c", [7, 7])).toBe(2);
    expect(tell(trials, "d", [1, 1])).toBeUndefined();
  });
});

describe("asha", () => {
  test("lets the best third of those at a rung go on", () => {
    const trials = new Trials(ASHA);
    expect(tell(trials, "a", [3, 3, 3])).toBeUndefined();
    expect(tell(trials, "b", [2])).toBeUndefined();
    expect(tell(trials, "c", [1])).toBe(1);
    expect(tell(trials, "d", [4, 4])).toBeUndefined();
    expect(tell(trials, "e", [3.5, 0])).toBe(1);
  });

  test("judges between rungs by the last rung passed, and not beyond the last", () => {
    const trials = new Trials(ASHA);
    for (const name of ["a", "b", "c"]) trials.saw(name, 5, { acc: 10 });
    expect(trials.saw("d", 5, { acc: 1 })).toBe(true);
    const late = new Trials({ ...ASHA, rule: { kind: "asha", first: 9, last: 9.5, factor: 3 } });
    for (const name of ["a", "b", "c"]) late.saw(name, 20, { acc: 10 });
    expect(late.saw("d", 8, { acc: 1 })).toBe(false);
  });
});

test("other metrics, and steps told again, change nothing", () => {
  const trials = new Trials(MEDIAN);
  tell(trials, "a", [5, 5]);
  tell(trials, "b", [6, 6]);
  expect(trials.saw("c", 2, { loss: 9 })).toBe(false);
  expect(trials.saw("c", 3, { acc: 9 })).toBe(false);
  expect(trials.saw("c", 2, { acc: 0 })).toBe(false);
});

const curve = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 12 });
check.prop([fc.array(curve, { minLength: 1, maxLength: 12 }), fc.constantFrom(MEDIAN, ASHA)])(
  "a trial that is best at every step is never ended",
  (others, pruning) => {
    const trials = new Trials(pruning);
    for (const [index, values] of others.entries()) tell(trials, `t${index}`, values);
    expect(
      tell(
        trials,
        "best",
        Array.from({ length: 12 }, () => 101),
      ),
    ).toBeUndefined();
  },
);
