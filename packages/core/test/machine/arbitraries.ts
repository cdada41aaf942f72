// Random scenarios that shrink well: tasks depend on earlier ones only, faults are a list that may
// simply end.

import fc from "fast-check";
import type { Limits } from "../../src/model/resources.ts";
import type { Intervention, Scenario, ScenarioTask } from "../../src/testing/scenario.ts";

const fate = fc.constantFrom(
  ...Array.from({ length: 8 }, () => "success" as const),
  "exit" as const,
  "timeout" as const,
  "out-of-memory" as const,
  "requeue" as const,
  "requeue-with-progress" as const,
  "preempted" as const,
  "preempted-without-checkpoint" as const,
  "lost" as const,
  "pruned" as const,
);

const manners = fc.constantFrom(
  "obeys" as const,
  "requeues" as const,
  "finishes" as const,
  "fails" as const,
  "ignores" as const,
);

const rarely = (odds: number): fc.Arbitrary<boolean> =>
  fc.nat({ max: odds - 1 }).map((value) => value === odds - 1);

const retries = fc.record({
  max: fc.nat({ max: 2 }),
  causes: fc.constantFrom<readonly string[]>([], ["oom"], ["exit:1", "timeout"], ["lost"]),
  backoffMs: fc.constantFrom(0, 3, 10),
  backoffMaxMs: fc.constant(15),
  escalate: fc.constantFrom({}, { oom: { mem: 2, cpus: 2 } }),
});

const requeue = fc.record({
  mode: fc.constantFrom("auto" as const, "always" as const, "never" as const),
  codes: fc.constant<readonly number[]>([]),
  max: fc.constantFrom(undefined, undefined, 1),
  delayMs: fc.constantFrom(0, 4),
});

/** What a task may be like, before it is known which tasks come before it. */
const task = fc.record({
  deps: fc.array(fc.nat({ max: 5 }), { maxLength: 3 }),
  backend: fc.nat({ max: 1 }),
  resources: fc.record({
    cpusMilli: fc.constantFrom(undefined, undefined, 500, 1_000, 2_000, 5_000),
    memoryBytes: fc.constantFrom(undefined, undefined, 1, 2, 4, 9),
  }),
  pools: fc.constantFrom<Readonly<Record<string, number>>>({}, {}, { a: 1 }, { a: 2, b: 1 }),
  retries,
  requeue,
  allowFailure: rarely(6),
  priority: fc.nat({ max: 2 }),
  weight: fc.nat({ max: 3 }),
  group: fc.integer({ min: -1, max: 1 }),
  failFast: rarely(6),
  grouping: rarely(8),
  exclusive: rarely(10),
  fates: fc.array(fate, { maxLength: 4, size: "max" }),
  manners,
  ms: fc.nat({ max: 20 }),
  verdict: fc.constantFrom(
    ...Array.from({ length: 24 }, () => "stale" as const),
    "skip" as const,
    "failed" as const,
  ),
});

/** Tasks in an order in which they could run one by one. */
export const tasks = (most: number): fc.Arbitrary<ScenarioTask[]> =>
  fc.array(task, { minLength: 1, maxLength: most, size: "max" }).map((drawn) =>
    drawn.map(({ deps, ...rest }, index) => ({
      ...rest,
      deps: deps.map((back) => index - 1 - back).filter((dep) => dep >= 0),
    })),
  );

const limits: fc.Arbitrary<Limits> = fc.record({
  slots: fc.constantFrom(undefined, 1, 2, 3),
  cpusMilli: fc.constantFrom(undefined, 1_000, 2_000, 4_000),
  memoryBytes: fc.constantFrom(undefined, 4, 8),
  pools: fc.constantFrom<Readonly<Record<string, number>>>({ a: 2, b: 1 }, { a: 3 }, {}),
});

const atEvent = fc.integer({ min: 1, max: 60 });

const intervention: fc.Arbitrary<Intervention> = fc.oneof(
  fc.record({
    atEvent,
    type: fc.constant("stop" as const),
    tasks: fc.constantFrom(undefined, [0], [1, 2], [3]),
    how: fc.constantFrom("graceful" as const, "forced" as const),
    reason: fc.constantFrom(
      "user" as const,
      "user" as const,
      "pruned" as const,
      "preempt" as const,
      "hung" as const,
    ),
  }),
  fc.record({ atEvent, type: fc.constant("drain" as const) }),
  fc.record({
    atEvent,
    type: fc.constant("limits" as const),
    limits: fc.record({
      slots: fc.constantFrom(1, 2, 4),
      cpusMilli: fc.constantFrom(1_000, 3_000),
      memoryBytes: fc.constantFrom(undefined, 4),
      pools: fc.constant({ a: 2, b: 2 }),
    }),
  }),
  fc.record({
    atEvent,
    type: fc.constant("foreign" as const),
    cpusMilli: fc.constantFrom(0, 1_000, 9_000),
    memoryBytes: fc.constantFrom(0, 2, 9),
  }),
);

const choices = fc.array(fc.nat({ max: 119 }), { maxLength: 150, size: "max" });

/** Everything at once: faults, crashes, interventions. */
export const scenario: fc.Arbitrary<Scenario> = fc.record({
  tasks: tasks(8),
  backends: fc.constantFrom(
    [{ local: true }, { local: true }],
    [{ local: true }, { local: false }],
  ),
  limits,
  options: fc.record({ keepGoing: fc.constantFrom(true, true, false), failFast: rarely(5) }),
  interventions: fc.oneof(
    { weight: 2, arbitrary: fc.constant<readonly Intervention[]>([]) },
    { weight: 1, arbitrary: fc.array(intervention, { maxLength: 3 }) },
  ),
  crashes: fc.oneof(
    { weight: 2, arbitrary: fc.constant<readonly number[]>([]) },
    {
      weight: 1,
      arbitrary: fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 4, size: "max" }),
    },
  ),
  choices: fc.oneof(
    { weight: 1, arbitrary: fc.constant<readonly number[]>([]) },
    { weight: 3, arbitrary: choices },
  ),
});
