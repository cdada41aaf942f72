import { describe, expect, test } from "vitest";
import { compileGlob } from "../../src/graph/glob.ts";

const cases: readonly (readonly [
  pattern: string,
  yes: readonly string[],
  no: readonly string[],
])[] = [
  ["*.csv", ["a.csv", "ab.csv"], ["a/b.csv", ".csv", "a.csvx"]],
  ["data/*/x", ["data/a/x"], ["data/x", "data/a/b/x"]],
  ["data/**/x", ["data/x", "data/a/x", "data/a/b/x"], ["x", "data/a/y", "data/.git/x"]],
  ["**", ["a", "a/b"], [".a", "a/.b"]],
  ["a?c", ["abc"], ["ac", "a/c"]],
  ["[a-c]1", ["a1", "c1"], ["d1", "-1"]],
  ["[!a-c]1", ["d1"], ["a1"]],
  ["{a,b{c,d}}.txt", ["a.txt", "bc.txt", "bd.txt"], ["b.txt", "c.txt"]],
  ["{a/b,c}/d", ["a/b/d", "c/d"], ["a/d", "b/d"]],
  ["a/**", ["a/b", "a/b/c"], ["a", "b/a"]],
  [".hidden/*", [".hidden/a"], [".hidden/.b"]],
  ["a[", ["a["], ["a"]],
  ["{a}", ["{a}"], ["a"]],
  ["**/a/**/b", ["a/b", "x/a/y/b", "a/a/b/b"], ["a", "b/a"]],
];

describe("globs", () => {
  for (const [pattern, yes, no] of cases) {
    test(`\`${pattern}\` matches what a shell would match`, () => {
      const glob = compileGlob(pattern);
      expect(yes.filter((path) => !glob.matches(path))).toEqual([]);
      expect(no.filter((path) => glob.matches(path))).toEqual([]);
    });

    test(`\`${pattern}\` reaches every directory above what it matches`, () => {
      const glob = compileGlob(pattern);
      const above = yes.flatMap((path) =>
        path.split("/").map((_part, index, parts) => parts.slice(0, index).join("/")),
      );
      expect(above.filter((directory) => !glob.reaches(directory))).toEqual([]);
    });
  }

  test("directories where nothing can match are not reached", () => {
    const glob = compileGlob("data/*/x/*.csv");
    expect(["other", "data/a/y", "data/a/x/z"].filter((path) => glob.reaches(path))).toEqual([]);
  });

  test("the text before the first wildcard tells where to look", () => {
    const { base, prefix } = compileGlob("data/raw/2024-*.csv");
    expect({ base, prefix }).toEqual({ base: "data/raw", prefix: "data/raw/2024-" });
  });

  test("no pattern takes exponential time", () => {
    const glob = compileGlob(`${"*a".repeat(30)}*b`);
    expect(glob.matches("a".repeat(200))).toBe(false);
    expect(compileGlob(`${"**/a/".repeat(30)}b`).matches("a/".repeat(200))).toBe(false);
  });

  test("braces that would expand without end are left as they are", () => {
    expect(compileGlob("{a,b}".repeat(40)).matches("a".repeat(40))).toBe(false);
  });
});
