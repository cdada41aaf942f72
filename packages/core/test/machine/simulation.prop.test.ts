import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Machine } from "../../src/machine/machine.ts";
import { simulate } from "../../src/testing/simulate.ts";
import { scenario } from "./arbitraries.ts";

const create = (plan: ConstructorParameters<typeof Machine>[0]): Machine => new Machine(plan);

describe("the machine in a simulated world", () => {
  test("is safe under faults and crashes, and comes to an end", () => {
    let runs = 0;
    fc.assert(
      fc.property(scenario, (each) => {
        simulate(each, create);
        runs += 1;
      }),
      { numRuns: 10_000 },
    );
    expect(runs).toBeGreaterThanOrEqual(10_000);
  });
});
