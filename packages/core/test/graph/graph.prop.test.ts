// The graph against slow, obvious answers: overlap by comparing every pair, selection by walking
// edges, orders by looking at every edge.

import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { buildGraph } from "../../src/graph/build.ts";
import { compileGlob } from "../../src/graph/glob.ts";
import { select } from "../../src/graph/select.ts";
import { taskId } from "../../src/model/ids.ts";
import type { Task } from "../../src/model/task.ts";
import { files, graphOf, projectOf, target, task } from "./sketch.ts";

const segment = fc.constantFrom("a", "b", "ab", "c");
const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("/"));

/** Some tasks with some targets each, files and directories. */
const targetSets = fc.array(fc.array(fc.tuple(path, fc.boolean()), { maxLength: 3 }), {
  minLength: 1,
  maxLength: 5,
});

const tasksWith = (sets: readonly (readonly (readonly [string, boolean])[])[]): readonly Task[] =>
  sets.map((set, index) =>
    task(`t${index}`, {
      targets: set.map(([where, isDirectory]) => target(isDirectory ? `${where}/` : where)),
    }),
  );

/** Whether some pair of targets cannot both be: by the rule as it is written. */
function hasOverlap(tasks: readonly Task[]): boolean {
  const all = tasks.flatMap(({ id, targets }) => targets.map((one) => ({ id, ...one })));
  return all.some((one, index) =>
    all.some((other, otherIndex) => {
      if (index === otherIndex) return false;
      if (one.path === other.path) return true;
      if (!other.path.startsWith(`${one.path}/`)) return false;
      return one.id !== other.id || one.kind === "file";
    }),
  );
}

describe("overlap", () => {
  test.prop([targetSets], { numRuns: 2000 })(
    "is reported exactly when some pair of targets overlaps",
    (sets) => {
      const tasks = tasksWith(sets);
      const built = buildGraph(projectOf(tasks), files());
      expect(built.ok).toBe(!hasOverlap(tasks));
    },
  );
});

/** Tasks where each may come after some of those before it, numbered in any order. */
const acyclic = fc
  .array(fc.array(fc.nat(), { maxLength: 3 }), { minLength: 1, maxLength: 8 })
  .chain((picks) =>
    fc
      .shuffledSubarray(
        picks.map((_, index) => index),
        { minLength: picks.length, maxLength: picks.length },
      )
      .map((places) => {
        const tasks = picks.map((pick, index) =>
          task(`t${index}`, {
            after: index === 0 ? [] : [...new Set(pick.map((n) => taskId(`t${n % index}`)))],
            tags: index % 2 === 0 ? ["even"] : [],
          }),
        );
        return places.map((place) => tasks[place] as Task);
      }),
  );

/** Everything reachable over a relation, by brute repetition. */
function closure(from: readonly string[], next: (id: string) => readonly string[]): Set<string> {
  const found = new Set(from);
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const id of [...found]) for (const other of next(id)) found.add(other);
  }
  return found;
}

describe("selection", () => {
  const shape = fc.record({ upstream: fc.boolean(), downstream: fc.boolean(), only: fc.boolean() });

  test.prop([acyclic, fc.nat(), shape], { numRuns: 1000 })(
    "takes what was asked, its neighbours where wanted, and what that needs",
    (tasks, pick, { upstream, downstream, only }) => {
      const asked = tasks[pick % tasks.length]?.id ?? "";
      const before = (id: string): readonly string[] =>
        tasks.find((one) => one.id === id)?.after ?? [];
      const behind = (id: string): readonly string[] =>
        tasks.filter(({ after }) => after.includes(taskId(id))).map((one) => one.id);
      const wanted = new Set([
        asked,
        ...(upstream ? closure([asked], before) : []),
        ...(downstream ? closure([asked], behind) : []),
      ]);
      const expected = only ? wanted : closure([...wanted], before);
      const text = `${upstream ? "+" : ""}${asked}${downstream ? "+" : ""}`;
      const found = select(graphOf(tasks), [text], { only });
      expect(found.ok && new Set(found.value.tasks.map((index) => tasks[index]?.id))).toEqual(
        expected,
      );
    },
  );

  test.prop([acyclic])("is in an order in which everything comes after what it needs", (tasks) => {
    const found = select(graphOf(tasks), []);
    const seen = new Set<string>();
    for (const index of found.ok ? found.value.tasks : []) {
      const { id, after } = tasks[index] as Task;
      expect(after.every((one) => seen.has(one))).toBe(true);
      seen.add(id);
    }
    expect(seen.size).toBe(tasks.length);
  });

  test.prop([acyclic])(
    "of two selectors is the union, and an exception is the difference",
    (tasks) => {
      const graph = graphOf(tasks);
      const asked = (...selectors: readonly string[]): readonly number[] => {
        const found = select(graph, selectors, { only: true });
        return found.ok ? [...found.value.tasks].sort((one, other) => one - other) : [];
      };
      const all = asked("*");
      const even = asked("tag:even");
      const rest = asked("*", "!tag:even");
      expect([...even, ...rest].sort((one, other) => one - other)).toEqual(all);
      expect(asked("tag:even", "*")).toEqual(all);
    },
  );
});

describe("cycles", () => {
  const edgeSets = fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { maxLength: 10 });

  /** Length of the shortest way from a task back to itself, over all tasks. */
  function shortest(pairs: readonly (readonly [number, number])[]): number {
    let best = Number.POSITIVE_INFINITY;
    for (let start = 0; start <= 5; start++) {
      let reached = new Set([start]);
      for (let length = 1; length <= 6; length++) {
        reached = new Set(pairs.filter(([from]) => reached.has(from)).map(([, to]) => to));
        if (reached.has(start)) best = Math.min(best, length);
      }
    }
    return best;
  }

  test.prop([edgeSets], { numRuns: 2000 })(
    "are found, and the one shown is a shortest",
    (edges) => {
      const pairs = edges.filter(([from, to]) => from !== to);
      const tasks = Array.from({ length: 6 }, (_, index) =>
        task(`t${index}`, {
          after: [
            ...new Set(pairs.filter(([, to]) => to === index).map(([from]) => taskId(`t${from}`))),
          ],
        }),
      );
      const built = buildGraph(projectOf(tasks), files());
      const length = built.ok ? Number.POSITIVE_INFINITY : (built.error[0]?.related.length ?? 0);
      expect(length).toBe(shortest(pairs));
    },
  );
});

describe("globs", () => {
  const piece = fc.constantFrom("a", "b", "*", "?", "ab", "[ab]");
  const pattern = fc
    .array(
      fc.oneof(
        fc.constant("**"),
        fc.array(piece, { minLength: 1, maxLength: 3 }).map((all) => all.join("")),
      ),
      {
        minLength: 1,
        maxLength: 4,
      },
    )
    .map((parts) => parts.join("/"));

  /** The same pattern as a regular expression. */
  function asRegExp(text: string): RegExp {
    const parts = text
      .split("/")
      .map((part) =>
        part === "**" ? "**" : part.replaceAll("*", "[^/]*").replaceAll("?", "[^/]"),
      );
    const last = parts.length - 1;
    const source = parts.map((part, index) => {
      if (part !== "**") return part + (index < last ? "/" : "");
      return index < last ? "(?:[^/]+/)*" : "[^/]+(?:/[^/]+)*";
    });
    return new RegExp(`^${source.join("")}$`);
  }

  test.prop([pattern, path], { numRuns: 5000 })(
    "match as the same regular expression does",
    (text, candidate) => {
      expect(compileGlob(text).matches(candidate)).toBe(asRegExp(text).test(candidate));
    },
  );
});
