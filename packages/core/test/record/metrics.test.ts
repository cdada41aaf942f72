import { describe, expect, it } from "vitest";
import type { MetricSummary } from "../../src/record/attempt-record.ts";
import { joinSummaries, numbersIn, parseLoosely, summarise } from "../../src/record/metrics.ts";

function summaryOf(values: readonly number[]): MetricSummary {
  const summary: Record<string, MetricSummary> = {};
  for (const [step, value] of values.entries()) summarise(summary, { loss: value }, step);
  return summary["loss"] as MetricSummary;
}

describe("metrics", () => {
  it("are the finite numbers of an object, however deep", () => {
    const told = { loss: 0.5, val: { acc: 1, top: { k5: 2 } }, name: "x", list: [1], bad: null };
    expect(numbersIn(told)).toEqual({ loss: 0.5, "val.acc": 1, "val.top.k5": 2 });
    expect(numbersIn({ acc: 1 }, "train")).toEqual({ "train.acc": 1 });
  });

  it("survive what Python writes for numbers that JSON does not have", () => {
    const told = '{"loss": NaN, "best": -Infinity, "acc": 0.5, "note": "NaN, NaN"}';
    expect(numbersIn(parseLoosely(told))).toEqual({ acc: 0.5 });
    expect(parseLoosely("{nope}")).toBeUndefined();
    expect(parseLoosely('{"a": NaN,}')).toBeUndefined();
  });

  it("are summed up with the steps of their extremes", () => {
    expect(summaryOf([3, 1, 4, 1])).toEqual({
      first: 3,
      last: 1,
      min: 1,
      max: 4,
      mean: 2.25,
      count: 4,
      minStep: 1,
      maxStep: 2,
    });
  });

  it("of two attempts are those of one that told all", () => {
    const whole = summaryOf([3, 1, 4, 1, 5, 9]);
    const later: Record<string, MetricSummary> = {};
    for (const [index, value] of [1, 5, 9].entries()) summarise(later, { loss: value }, index + 3);
    const joined = joinSummaries(summaryOf([3, 1, 4]), later["loss"] as MetricSummary);
    expect(joined).toEqual({ ...whole, mean: joined.mean });
    expect(joined.mean).toBeCloseTo(whole.mean);
  });
});
