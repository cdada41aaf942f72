// Small random projects, run against what recomputation says: outputs, what runs again and what
// does not, and that killing flow anywhere changes none of it.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { FakeCall, Fault } from "../../src/testing/index.ts";
import { MemoryProject, type Recipe, type RunChoices } from "./memory-project.ts";

const SOURCES = 2;

const recipes = (fails: fc.Arbitrary<number>): fc.Arbitrary<Recipe[]> =>
  fc
    .array(
      fc.record({
        needs: fc.array(fc.nat({ max: 6 }), { maxLength: 3 }),
        constant: fc.nat({ max: 3 }).map((value) => value === 0),
        ms: fc.constantFrom(0, 1, 30, 700),
        fails,
      }),
      { minLength: 1, maxLength: 6, size: "max" },
    )
    .map((drawn) =>
      drawn.map(({ needs, ...rest }, index) => ({
        ...rest,
        name: `t${index}`,
        version: 1,
        needs: [...new Set(needs.map((need) => needOf(index, need)))],
      })),
    );

/** A source, or an earlier recipe. */
function needOf(index: number, need: number): string {
  const earlier = index - 1 - need;
  return earlier >= 0 ? `t${earlier}` : `src${need % SOURCES}`;
}

const never = fc.constant(0);

function open(drawn: readonly Recipe[]): MemoryProject {
  const memory = new MemoryProject();
  memory.recipes = drawn;
  for (let source = 0; source < SOURCES; source += 1) memory.write(`src${source}`, "one");
  return memory;
}

function expectRight(memory: MemoryProject): void {
  expect(memory.violation).toBeUndefined();
  for (const { name } of memory.recipes) expect(memory.output(name)).toBe(memory.expected(name));
}

/** Runs until everything is done; what ran. */
async function finish(
  memory: MemoryProject,
  most = 1,
  choices: RunChoices = {},
): Promise<readonly string[]> {
  memory.executed.length = 0;
  for (let runs = 1; ; runs += 1) {
    const result = await memory.run({ keepGoing: true, ...choices });
    if (result?.exitCode === 0) return [...memory.executed].sort();
    if (runs === most) throw new Error(`exit code ${result?.exitCode} in run ${runs}`);
  }
}

const names = (memory: MemoryProject): readonly string[] => memory.recipes.map(({ name }) => name);

describe("a project in memory", () => {
  test("has the right outputs after a run, each task having run once, and nothing to do after it", async () => {
    await fc.assert(
      fc.asyncProperty(recipes(never), fc.constantFrom(1, 2, 9), async (drawn, slots) => {
        const memory = open(drawn);
        const result = await memory.run({ slots });
        expect(result).toMatchObject({ exitCode: 0, recorded: true });
        expect([...memory.executed].sort()).toEqual(names(memory));
        expectRight(memory);
        const jobs = memory.world.jobs.size;
        const again = await memory.run({ slots });
        expect(again).toMatchObject({ exitCode: 0, recorded: false });
        expect(memory.world.jobs.size).toBe(jobs);
      }),
      { numRuns: 150 },
    );
  });

  test("runs again what a change reaches, and stops where the bytes are the same", async () => {
    await fc.assert(
      fc.asyncProperty(
        recipes(never),
        fc.nat({ max: SOURCES - 1 }),
        fc.option(fc.nat({ max: 5 }), { nil: undefined }),
        async (drawn, source, recipe) => {
          const memory = open(drawn);
          await finish(memory);
          const before = new Map(names(memory).map((name) => [name, memory.output(name)]));
          memory.write(`src${source}`, "two");
          const edited = recipe === undefined ? undefined : drawn[recipe]?.name;
          memory.recipes = drawn.map((each) =>
            each.name === edited ? { ...each, version: 2 } : each,
          );
          const changed = (need: string): boolean =>
            need === `src${source}` || before.get(need) !== memory.expected(need);
          const due = memory.recipes.filter(
            ({ name, needs }) =>
              name === edited ||
              needs.some((need) =>
                need.startsWith("src") ? need === `src${source}` : changed(need),
              ),
          );
          expect(await finish(memory)).toEqual(due.map(({ name }) => name).sort());
          expectRight(memory);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("is right in the end although tasks fail, and keeps what was good until then", async () => {
    await fc.assert(
      fc.asyncProperty(recipes(fc.nat({ max: 2 })), async (drawn) => {
        const memory = open(drawn);
        await finish(memory, 20);
        expectRight(memory);
        expect([...memory.executed].sort()).toEqual(names(memory));
      }),
      { numRuns: 100 },
    );
  });

  test("takes up again what the system takes away, without a failure", async () => {
    await fc.assert(
      fc.asyncProperty(recipes(never), fc.array(fc.nat({ max: 2 })), async (drawn, taken) => {
        const memory = open(drawn.map((each, index) => ({ ...each, taken: taken[index] ?? 0 })));
        expect(await finish(memory)).toEqual(names(memory));
        expectRight(memory);
      }),
      { numRuns: 100 },
    );
  });

  test("is the same after flow was killed at any change it makes to the disk", async () => {
    await fc.assert(
      fc.asyncProperty(
        recipes(never),
        fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 4 }),
        async (drawn, kills) => {
          const memory = open(drawn);
          for (const killAfter of kills) await memory.run({ killAfter, keepGoing: true });
          const result = await memory.run({ keepGoing: true });
          expect(result?.exitCode).toBe(0);
          expectRight(memory);
          expect([...memory.executed].sort()).toEqual(names(memory));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("runs each task once although several runs of it go on at once, and some are killed", async () => {
    await fc.assert(
      fc.asyncProperty(
        recipes(never),
        fc.array(kill, { minLength: 1, maxLength: 3 }),
        async (drawn, dying) => {
          const memory = open(drawn);
          const [result] = await memory.runTogether(
            { keepGoing: true },
            ...dying.map((killAfter) => ({ keepGoing: true, ...killAfter })),
          );
          expect(result).toMatchObject({ exitCode: 0 });
          expectRight(memory);
          expect([...memory.executed].sort()).toEqual(names(memory));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("stops whenever it is asked to, with nothing left running, and goes on the next time", async () => {
    await fc.assert(
      fc.asyncProperty(
        recipes(never),
        faults,
        fc.boolean(),
        fc.constantFrom(0, 1, 5, 31, 700, 1_500),
        async (drawn, choices, idempotentSubmit, stopAfter) => {
          const memory = open(drawn);
          const capabilities = { idempotentSubmit, visibilityDelayMs: idempotentSubmit ? 0 : 50 };
          const options = { keepGoing: true, capabilities, ...unreliable(choices) };
          const stopped = await memory.run({ ...options, stopAfter });
          expect([0, 130]).toContain(stopped?.exitCode);
          expect(memory.living).toBe(0);
          expect(await memory.run(options)).toMatchObject({ exitCode: 0 });
          expectRight(memory);
          expect([...memory.executed].sort()).toEqual(names(memory));
        },
      ),
      { numRuns: 150 },
    );
  });

  for (const idempotentSubmit of [true, false]) {
    const capabilities = { idempotentSubmit, visibilityDelayMs: idempotentSubmit ? 0 : 50 };
    const kind = idempotentSubmit ? "knows its jobs by key" : "would run a job twice";
    test(`is right although a backend that ${kind} cannot be relied on`, async () => {
      await fc.assert(
        fc.asyncProperty(recipes(never), faults, kills, async (drawn, choices, killed) => {
          const memory = open(drawn);
          const options = { keepGoing: true, capabilities, ...unreliable(choices) };
          for (const killAfter of killed) await memory.run({ ...options, killAfter });
          const result = await memory.run(options);
          expect(result).toMatchObject({ exitCode: 0 });
          expectRight(memory);
          expect([...memory.executed].sort()).toEqual(names(memory));
        }),
        { numRuns: 200 },
      );
    });

    test(`runs nothing twice although a backend that ${kind} refuses what it has taken`, async () => {
      await fc.assert(
        fc.asyncProperty(recipes(never), faults, async (drawn, choices) => {
          const memory = open(drawn);
          const refuses = { ...unreliable(choices, REFUSING), capabilities };
          expect(await finish(memory, 50, refuses)).toEqual(names(memory));
          expectRight(memory);
        }),
        { numRuns: 200 },
      );
    });
  }
});

const kill = fc.constantFrom(
  {},
  ...Array.from({ length: 40 }, (_, index) => ({ killAfter: index + 1 })),
);

const kills = fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 2 });

const faults = fc.array(fc.nat({ max: 9 }), { maxLength: 60, size: "max" });

/** A backend whose calls go wrong, and take their time, as drawn; when nothing is left all is well. */
function unreliable(
  choices: readonly number[],
  mistakes: Mistakes = FAULTS,
): {
  readonly fault: (call: FakeCall) => Fault | undefined;
  readonly latencyMs: () => number;
} {
  const left = [...choices];
  return {
    fault: ({ method }) => mistakes[method][left.shift() ?? 0],
    latencyMs: () => (left.shift() ?? 0) * 3,
  };
}

type Mistakes = Readonly<Record<FakeCall["method"], readonly (Fault | undefined)[]>>;

const FAULTS: Mistakes = {
  submit: [undefined, undefined, undefined, undefined, "unavailable", "ambiguous", "ambiguous"],
  observe: [undefined, undefined, undefined, "unavailable", "unknown", "missing", "stale"],
  cancel: [undefined, undefined, undefined, "unavailable"],
  reattach: [undefined, undefined, undefined, "unavailable"],
};

const REFUSING: Mistakes = {
  ...FAULTS,
  submit: [undefined, undefined, "ambiguous", "ambiguous", "rejected", "misconfigured"],
};
