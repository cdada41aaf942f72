// The oracle: small random projects are changed at random and run by the answers of the inspector.
// Afterwards every target must hold what computing it from scratch gives, a second run must find
// nothing to do, and no task may run whose inputs are byte for byte those of its last success.

import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import type { Task } from "../../src/model/task.ts";
import { shell } from "../engine/tasks.ts";
import { task } from "../graph/sketch.ts";
import { Bench, root } from "./bench.ts";

const sources = ["s0", "s1"] as const;

/** Task i reads any of the sources and of the targets of tasks before it. */
const projects = fc.array(fc.array(fc.nat(), { minLength: 1, maxLength: 3 }), {
  minLength: 1,
  maxLength: 5,
});

const changes = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant("source" as const),
      which: fc.nat(1),
      text: fc.constantFrom("a", "b", "ab"),
    }),
    fc.record({ kind: fc.constant("touch" as const), which: fc.nat(1) }),
    fc.record({ kind: fc.constant("remove" as const), which: fc.nat(4) }),
    fc.record({
      kind: fc.constant("recipe" as const),
      which: fc.nat(4),
      text: fc.constantFrom("x", "y"),
    }),
  ),
  { maxLength: 4 },
);

interface Step {
  readonly deps: readonly string[];
  recipe: string;
}

const stepsOf = (picks: readonly (readonly number[])[]): Step[] =>
  picks.map((pick, index) => {
    const names = [...sources, ...Array.from({ length: index }, (_, number) => `t${number}`)];
    return { deps: [...new Set(pick.map((n) => names[n % names.length] ?? "s0"))], recipe: "x" };
  });

/** Half of all tasks lose most of what they read, so that equal outputs of unequal inputs occur. */
function compute(
  index: number,
  { recipe, deps }: Step,
  contentOf: (name: string) => string,
): string {
  const text = `${recipe}(${deps.map(contentOf).join(",")})`;
  return index % 2 === 0 ? text : String(text.length % 3);
}

function fromScratch(steps: readonly Step[], bench: Bench): readonly string[] {
  const made: string[] = [];
  steps.forEach((step, index) => {
    const contentOf = (name: string): string =>
      name.startsWith("t") ? (made[Number(name.slice(1))] ?? "") : read(bench, name);
    made.push(compute(index, step, contentOf));
  });
  return made;
}

const read = (bench: Bench, name: string): string => bench.files.text(`${root}/${name}`) ?? "";

const taskOf = ({ deps, recipe }: Step, index: number): Task =>
  task(`t${index}`, { deps, targets: [`t${index}`], actions: [shell(recipe)] });

describe("freshness", () => {
  test.prop([projects, fc.array(changes, { minLength: 1, maxLength: 3 })], { numRuns: 300 })(
    "gives what computing from scratch gives, and does nothing twice",
    async (picks, rounds) => {
      const bench = new Bench({ s0: "a", s1: "b" });
      const steps = stepsOf(picks);
      const lastInputs = new Map<number, string>();
      const runAll = async (): Promise<number> => {
        let ran = 0;
        for (const [index, step] of steps.entries()) {
          const one = taskOf(step, index);
          if ((await bench.verdict(one)) === "fresh") continue;
          ran++;
          const inputs = JSON.stringify([step.recipe, step.deps.map((name) => read(bench, name))]);
          const isThere = bench.files.stat(`${root}/t${index}`) !== undefined;
          expect(isThere && lastInputs.get(index) === inputs).toBe(false);
          lastInputs.set(index, inputs);
          await bench.run(one, () =>
            bench.write(
              `t${index}`,
              compute(index, step, (name) => read(bench, name)),
            ),
          );
        }
        return ran;
      };
      await runAll();
      for (const round of rounds) {
        for (const change of round) {
          const step = steps[change.which % steps.length];
          if (change.kind === "source") bench.write(sources[change.which % 2] ?? "s0", change.text);
          else if (change.kind === "touch") bench.touch(sources[change.which % 2] ?? "s0");
          else if (change.kind === "remove") bench.remove(`t${change.which % steps.length}`);
          else if (step !== undefined) step.recipe = change.text;
        }
        await runAll();
        const made = steps.map((_step, index) => read(bench, `t${index}`));
        expect(made).toEqual(fromScratch(steps, bench));
        expect(await runAll()).toBe(0);
      }
    },
  );
});
