// Targets with `keep: until_used` in small random projects: gone once used, never missed by what
// runs, made again when needed; whatever is edited, killed, or run at the same time.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryProject, type Recipe } from "./memory-project.ts";

const SOURCES = 2;

const recipes: fc.Arbitrary<Recipe[]> = fc
  .array(
    fc.record({
      needs: fc.array(fc.nat({ max: 4 }), { maxLength: 3 }),
      constant: fc.nat({ max: 3 }).map((value) => value === 0),
      ms: fc.constantFrom(0, 1, 30, 700),
      temporary: fc.boolean(),
    }),
    { minLength: 2, maxLength: 7, size: "max" },
  )
  .map((drawn) =>
    drawn.map(({ needs, ...rest }, index) => ({
      ...rest,
      name: `t${index}`,
      version: 1,
      fails: 0,
      needs: [...new Set(needs.map((need) => needOf(index, need)))],
    })),
  );

function needOf(index: number, need: number): string {
  const earlier = index - 1 - need;
  return earlier >= 0 ? `t${earlier}` : `src${need % SOURCES}`;
}

/** One change between two runs: a source's content, or a recipe. */
const edits = fc.array(
  fc.record({ source: fc.nat({ max: SOURCES - 1 }), recipe: fc.option(fc.nat({ max: 6 })) }),
  { minLength: 1, maxLength: 4 },
);

function open(drawn: readonly Recipe[]): MemoryProject {
  const memory = new MemoryProject();
  memory.recipes = drawn;
  for (let source = 0; source < SOURCES; source += 1) memory.write(`src${source}`, "one");
  return memory;
}

const isUsed = ({ recipes: all }: MemoryProject, name: string): boolean =>
  all.some(({ needs }) => needs.includes(name));

/** After a good run: what is temporary and used is gone, all else is there and right. */
function expectTidy(memory: MemoryProject): void {
  expect(memory.violation).toBeUndefined();
  for (const { name, temporary } of memory.recipes) {
    const isGone = temporary === true && isUsed(memory, name);
    expect(memory.output(name)).toBe(isGone ? undefined : memory.expected(name));
  }
}

function change(
  memory: MemoryProject,
  edit: { source: number; recipe: number | null },
  to: number,
) {
  if (edit.recipe === null) memory.write(`src${edit.source}`, `content ${to}`);
  else {
    memory.recipes = memory.recipes.map((each, index) =>
      index === edit.recipe ? { ...each, version: to } : each,
    );
  }
}

describe("targets that are kept until used", () => {
  test("are gone after a run, and a second run finds nothing to do", async () => {
    await fc.assert(
      fc.asyncProperty(recipes, fc.constantFrom(1, 2, 9), async (drawn, slots) => {
        const memory = open(drawn);
        expect(await memory.run({ slots })).toMatchObject({ exitCode: 0 });
        expectTidy(memory);
        const jobs = memory.world.jobs.size;
        expect(await memory.run({ slots })).toMatchObject({ exitCode: 0, recorded: false });
        expect(memory.world.jobs.size).toBe(jobs);
      }),
      { numRuns: 80 },
    );
  });

  test("are made again when something needs them, and only then", async () => {
    await fc.assert(
      fc.asyncProperty(recipes, edits, async (drawn, changes) => {
        const memory = open(drawn);
        expect(await memory.run({ keepGoing: true })).toMatchObject({ exitCode: 0 });
        for (const [round, edit] of changes.entries()) {
          change(memory, edit, round + 2);
          memory.executed.length = 0;
          expect(await memory.run({ keepGoing: true })).toMatchObject({ exitCode: 0 });
          expectTidy(memory);
          expect(memory.lacking).toEqual([]);
          const ran = new Set(memory.executed);
          expect(ran.size).toBe(memory.executed.length);
          const isTouched = edit.recipe === null || edit.recipe < drawn.length;
          if (!isTouched) expect(ran.size).toBe(0);
        }
      }),
      { numRuns: 80 },
    );
  });

  test("survive kills at any change to the disk: nothing is lost, nothing stays for ever", async () => {
    await fc.assert(
      fc.asyncProperty(
        recipes,
        edits,
        fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 5 }),
        async (drawn, changes, kills) => {
          const memory = open(drawn);
          for (const [round, killAfter] of kills.entries()) {
            await memory.run({ killAfter, keepGoing: true });
            const edit = changes[round];
            if (edit !== undefined) change(memory, edit, round + 2);
          }
          // The first may have to settle an attempt under its old recipe.
          await memory.run({ keepGoing: true });
          expect(await memory.run({ keepGoing: true })).toMatchObject({ exitCode: 0 });
          expectTidy(memory);
        },
      ),
      { numRuns: 120 },
    );
  });

  test("are missed by none of several runs at once", async () => {
    await fc.assert(
      fc.asyncProperty(
        recipes,
        fc.array(fc.constantFrom({}, { killAfter: 9 }, { killAfter: 23 }, { killAfter: 40 }), {
          minLength: 1,
          maxLength: 2,
        }),
        async (drawn, others) => {
          const memory = open(drawn);
          const [result] = await memory.runTogether(
            { keepGoing: true },
            ...others.map((each) => ({ keepGoing: true, ...each })),
          );
          expect(memory.lacking).toEqual([]);
          expect(result).toMatchObject({ exitCode: 0 });
          expect(await memory.run()).toMatchObject({ exitCode: 0 });
          expectTidy(memory);
        },
      ),
      { numRuns: 80 },
    );
  });
});
