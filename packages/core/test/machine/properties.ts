// What holds of any machine in any simulated world. The planted-bug suite runs the same properties
// over machines that are wrong, to show that each can fail.

import fc from "fast-check";
import type { FinalState } from "../../src/machine/effect.ts";
import type { Machine } from "../../src/machine/machine.ts";
import type { MachinePlan } from "../../src/machine/plan.ts";
import { Violation } from "../../src/testing/safety.ts";
import type { Scenario, ScenarioTask } from "../../src/testing/scenario.ts";
import { simulate } from "../../src/testing/simulate.ts";
import { scenario, tasks } from "./arbitraries.ts";

export type Create = (plan: MachinePlan) => Machine;

const UNLIMITED = { slots: undefined, cpusMilli: undefined, memoryBytes: undefined, pools: {} };

const KEEP_GOING = { keepGoing: true, failFast: false };

/** Without what makes the end depend on the order: groups that stop each other, pools, kills. */
const calm = (each: ScenarioTask): ScenarioTask => ({ ...each, failFast: false, pools: {} });

function expectSame(what: string, left: unknown, right: unknown): void {
  const [a, b] = [JSON.stringify(left), JSON.stringify(right)];
  if (a !== b) throw new Violation(`${what}: ${a} is not ${b}`);
}

const names = (finals: readonly FinalState[]): readonly string[] => finals.map(({ at }) => at);

/** How a run ends that goes on after failures, with attempts that succeed or exit with 1 only. */
function expected(specs: readonly ScenarioTask[]): readonly string[] {
  const ends: string[] = [];
  for (const { deps = [], grouping, verdict, fates = [], retries, allowFailure } of specs) {
    const bad = deps.some((dep) => {
      const end = ends[dep];
      return end === "blocked" || (end === "failed" && specs[dep]?.allowFailure !== true);
    });
    const first = [...fates, "success"].indexOf("success");
    if (bad) ends.push("blocked");
    else if (grouping === true) ends.push("done");
    else if (verdict === "skip") ends.push("skipped");
    else if (verdict === "failed" || first > (retries?.max ?? 0)) ends.push("failed");
    else ends.push("done");
    if (allowFailure === undefined) throw new Error("every drawn task says whether it may fail");
  }
  return ends;
}

const simple = tasks(7).map((specs) =>
  specs.map((each) => ({
    ...calm(each),
    resources: {},
    fates: (each.fates ?? []).map((fate) => (fate === "success" ? fate : ("exit" as const))),
    retries: {
      max: each.retries?.max ?? 0,
      causes: [],
      backoffMs: 2,
      backoffMaxMs: 4,
      escalate: {},
    },
  })),
);

const succeeding = tasks(6).map((specs) =>
  specs.map((each) => ({ ...calm(each), resources: {}, fates: [], verdict: "stale" as const })),
);

const good = (finals: readonly FinalState[]): readonly string[] =>
  names(finals).map((name) => (name === "fresh" ? "done" : name));

export interface Property {
  readonly name: string;
  readonly make: (create: Create) => fc.IProperty<unknown[]>;
}

export const SAFETY: Property = {
  name: "is safe under faults, crashes and interventions, and comes to an end",
  make: (create) =>
    fc.property(scenario, (each) => {
      simulate(each, create);
    }) as fc.IProperty<unknown[]>,
};

export const PROPERTIES: readonly Property[] = [
  SAFETY,
  {
    name: "without faults each task ends as the rules say",
    make: (create) =>
      fc.property(simple, fc.constantFrom(1, 2, undefined), (specs, slots) => {
        const report = simulate(
          { tasks: specs, limits: { ...UNLIMITED, slots }, options: KEEP_GOING },
          create,
        );
        expectSame("ends", names(report.finals), expected(specs));
      }) as fc.IProperty<unknown[]>,
  },
  {
    name: "one at a time and nine at a time end the same",
    make: (create) =>
      fc.property(tasks(7), (drawn) => {
        const run = (slots: number): Scenario => ({
          tasks: drawn.map(calm),
          limits: { ...UNLIMITED, slots },
          options: KEEP_GOING,
        });
        const [one, nine] = [simulate(run(1), create), simulate(run(9), create)];
        expectSame("ends", names(one.finals), names(nine.finals));
        expectSame("attempts", one.ran, nine.ran);
      }) as fc.IProperty<unknown[]>,
  },
  {
    name: "a task that has nothing to do with the others does not change how they end",
    make: (create) =>
      fc.property(tasks(6), (drawn) => {
        const specs = drawn.map(calm);
        const run = (more: readonly ScenarioTask[]): readonly string[] =>
          names(
            simulate(
              {
                tasks: [...specs, ...more],
                limits: { ...UNLIMITED, slots: 2 },
                options: KEEP_GOING,
              },
              create,
            ).finals,
          );
        const other: ScenarioTask = { ms: 7, priority: 3, fates: ["exit"] };
        expectSame("ends", run([other]).slice(0, -1), run([]));
      }) as fc.IProperty<unknown[]>,
  },
  {
    name: "crashes change nothing but the time, and nothing that succeeded runs again",
    make: (create) =>
      fc.property(
        succeeding,
        fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 5 }),
        (specs, crashes) => {
          const report = simulate(
            { tasks: specs, limits: { ...UNLIMITED, slots: 2 }, options: KEEP_GOING, crashes },
            create,
          );
          expectSame(
            "ends",
            good(report.finals),
            specs.map(() => "done"),
          );
          for (const [task, { grouping }] of specs.entries()) {
            expectSame(`attempts of ${task}`, report.ran[task], grouping === true ? 0 : 1);
          }
        },
      ) as fc.IProperty<unknown[]>,
  },
];
