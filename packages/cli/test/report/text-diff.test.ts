import { fc, test as property } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { unifiedDiff } from "../../src/report/text-diff.ts";

/** What `patch` would make of it. */
function applied(before: readonly string[], diff: readonly string[]): readonly string[] {
  const after: string[] = [];
  let at = 0;
  for (const line of diff) {
    const [, start] = /^@@ -(\d+)/.exec(line) ?? [];
    if (start !== undefined) {
      while (at < Number(start) - 1) after.push(before[at++] ?? "");
    } else if (line.startsWith("+")) after.push(line.slice(1));
    else {
      expect(before[at]).toBe(line.slice(1));
      if (line.startsWith(" ")) after.push(line.slice(1));
      at += 1;
    }
  }
  return [...after, ...before.slice(at)];
}

const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

describe("the difference between two texts", () => {
  it("shows changed lines with three lines around them", () => {
    const before = ["a", "b", "c", "d", "e", "f", "g", "h"];
    const after = ["a", "b", "c", "d", "E", "f", "g", "h"];
    expect(unifiedDiff(text(before), text(after))).toEqual([
      "@@ -2,7 +2,7 @@",
      " b",
      " c",
      " d",
      "-e",
      "+E",
      " f",
      " g",
      " h",
    ]);
    expect(unifiedDiff("x\n", "x\n")).toEqual([]);
  });

  const lines = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 40 });
  property.prop([lines, lines])("turns the one into the other", (before, after) => {
    const diff = unifiedDiff(text(before), text(after));
    expect(applied(before, diff)).toEqual(after);
  });

  property.prop([lines, lines])("has no more lines than it needs", (before, after) => {
    const diff = unifiedDiff(text(before), text(after));
    const changed = diff.filter((line) => /^[-+]/.test(line)).length;
    expect(changed).toBe(before.length + after.length - 2 * longestCommon(before, after));
  });
});

function longestCommon(a: readonly string[], b: readonly string[]): number {
  const row = Array.from({ length: b.length + 1 }, () => 0);
  for (const x of a) {
    let diagonal = 0;
    for (let j = 1; j <= b.length; j += 1) {
      const above = row[j] ?? 0;
      row[j] = x === b[j - 1] ? diagonal + 1 : Math.max(above, row[j - 1] ?? 0);
      diagonal = above;
    }
  }
  return row[b.length] ?? 0;
}
