/** The policy against the others, on seeds it was not tuned on. `npm run bench:gpu` prints the whole table. */
import { describe, expect, it } from "vitest";
import { compare } from "../../src/simulate/compare.ts";
import { lowerBound } from "../../src/simulate/lower-bound.ts";
import { random } from "../../src/simulate/random.ts";
import { workload, type WorkloadName } from "../../src/simulate/workload.ts";

const FIRST = 5000;
const SEEDS = 30;

/** Highest mean makespan ÷ lower bound, and jobs per 100 that may run out of memory. */
const GATES: readonly (readonly [WorkloadName, number, number])[] = [
  ["mnist", 1.15, 0],
  ["light", 1.5, 0.5],
  ["mixed", 1.3, 3],
  ["late", 1.3, 3],
  ["sweep", 1.34, 2],
  // One who knows everything beforehand reaches 1.35 here.
  ["big", 1.47, 6],
  ["external", 1.32, 4],
  ["repeat", 1.28, 0],
];

describe("the policy on simulated cards", () => {
  it.each(GATES)("%s stays within %f times the lower bound", (name, ratio, crashes) => {
    const results = Array.from({ length: SEEDS }, (_, n) => compare(name, "flow", FIRST + n));
    const mean = (value: (result: (typeof results)[number]) => number): number =>
      results.reduce((sum, result) => sum + value(result), 0) / SEEDS;
    expect(mean((result) => result.ratio)).toBeLessThanOrEqual(ratio);
    expect(mean((result) => result.outOfMemoryPer100)).toBeLessThanOrEqual(crashes);
    expect(Math.max(...results.map(({ attempts }) => attempts))).toBeLessThanOrEqual(4);
  });

  it("is never slower than one job per card", () => {
    for (const [name] of GATES)
      for (let seed = FIRST; seed < FIRST + 5; seed++)
        expect(compare(name, "flow", seed).ratio).toBeLessThanOrEqual(
          1.05 * compare(name, "exclusive", seed).ratio,
        );
  });
});

describe("the lower bound", () => {
  it("is at least the longest job and lies below what knows everything", () => {
    for (const name of ["mixed", "big", "sweep"] as const)
      for (let seed = 0; seed < 3; seed++) {
        const jobs = workload(name, seed);
        expect(lowerBound(jobs)).toBeGreaterThanOrEqual(
          Math.max(...jobs.jobs.map(({ durationS }) => durationS)),
        );
        expect(compare(name, "clairvoyant list", seed).ratio).toBeGreaterThanOrEqual(1);
      }
  });
});

describe("simulated workloads", () => {
  it("are the same for the same seed", () => {
    expect(workload("mixed", 7)).toEqual(workload("mixed", 7));
    expect(workload("mixed", 7)).not.toEqual(workload("mixed", 8));
    expect(random(3).next()).toBe(random(3).next());
  });
});
