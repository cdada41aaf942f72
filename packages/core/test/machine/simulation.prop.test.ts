import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Machine } from "../../src/machine/machine.ts";
import type { MachinePlan } from "../../src/machine/plan.ts";
import { AT, isFinal, STATES } from "../../src/machine/states.ts";
import { simulate } from "../../src/testing/simulate.ts";
import { scenario } from "./arbitraries.ts";
import { PROPERTIES, SAFETY } from "./properties.ts";

const create = (plan: MachinePlan): Machine => new Machine(plan);

describe("the machine in a simulated world", () => {
  for (const { name, make } of PROPERTIES) {
    test(name, () => {
      fc.assert(make(create), { numRuns: name === SAFETY.name ? 10_000 : 1_000 });
    });
  }

  test("takes every way that its diagram shows, and no other", () => {
    const drawn = diagram();
    expect([...drawn.keys()].sort()).toEqual(STATES.filter((name) => !isFinal(AT[name])).sort());
    const seen = new Set<string>();
    for (const each of fc.sample(scenario, { numRuns: 4_000, seed: 7 })) {
      for (const edge of simulate(each, create).edges) seen.add(edge);
      const { choices = [], ...rest } = each;
      const options = { keepGoing: true, failFast: false };
      const busy = { ...rest, options, choices: [...choices, ...choices.map((one) => one + 1)] };
      for (const edge of simulate(busy, create).edges) seen.add(edge);
    }
    const ends = ["failed", "blocked", "cancelled", "pruned"];
    const missing = [...drawn].flatMap(([from, to]) =>
      [...to].map((one) => `${from}>${one}`).filter((edge) => !seen.has(edge)),
    );
    expect(missing).toEqual([]);
    // A step may take a task several ways at once.
    const reached = (from: string, to: string, known: Set<string> = new Set([from])): boolean =>
      [...(drawn.get(from) ?? [])].some((next) => {
        if (next === to) return true;
        if (known.has(next)) return false;
        known.add(next);
        return reached(next, to, known);
      });
    const others = [...seen].filter((edge) => {
      const [from = "", to = ""] = edge.split(">");
      return !ends.includes(to) && !reached(from, to);
    });
    expect(others).toEqual([]);
  });
});

/** The edges that the comment in states.ts draws. */
function diagram(): ReadonlyMap<string, ReadonlySet<string>> {
  const text = readFileSync(new URL("../../src/machine/states.ts", import.meta.url), "utf8");
  const lines = [...text.matchAll(/^\/\/ {3}(\w+) ─► (.*)$/gm)];
  const to = (targets: string | undefined): Set<string> =>
    new Set((targets ?? "").split("|").map((target) => target.trim().split(" ")[0] ?? ""));
  return new Map(lines.map(([, from, targets]) => [from ?? "", to(targets)]));
}
