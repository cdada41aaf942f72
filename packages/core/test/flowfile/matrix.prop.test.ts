import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { project } from "./loading.ts";

/** Values of an axis: any text, none twice. */
const values = fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1, maxLength: 6 }), {
  minLength: 1,
  maxLength: 4,
});

const axes = fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9_-]{0,5}$/), values, {
  minKeys: 1,
  maxKeys: 3,
});

const RESERVED = ["zip", "include", "exclude", "max_parallel", "fail_fast"];

const usable = axes.filter((map) =>
  Object.entries(map).every(
    ([name, texts]) =>
      !RESERVED.includes(name) &&
      !name.startsWith("x-") &&
      texts.every((text) => !/^-?\d+\.\.-?\d+$/.test(text) && !text.includes("${{")),
  ),
);

const expanded = (matrix: object): ReturnType<typeof project> =>
  project(JSON.stringify({ tasks: { t: { matrix } } }));

/** The product, computed the plain way. */
function product(map: Readonly<Record<string, readonly string[]>>): readonly object[] {
  return Object.entries(map).reduce<readonly object[]>(
    (rows, [name, texts]) => rows.flatMap((row) => texts.map((text) => ({ ...row, [name]: text }))),
    [{}],
  );
}

describe("a matrix of any values", () => {
  test.prop([usable])("is the product of its axes in order", (map) => {
    expect(expanded(map).tasks.map((task) => task.axes)).toEqual(product(map));
  });

  test.prop([usable])("has ids, keys and slugs that are all different and safe", (map) => {
    const { tasks } = expanded(map);
    for (const of of ["id", "key", "slug"] as const) {
      expect(new Set(tasks.map((task) => task[of])).size).toBe(tasks.length);
    }
    for (const { id, slug } of tasks) {
      expect(id).toMatch(/^[\w.@=,%-]+$/);
      expect(slug).toMatch(/^[\w.@=,%-]+$/);
      expect(slug.length).toBeLessThanOrEqual(120);
    }
  });

  test.prop([usable, fc.nat()])("loses exactly what exclude names", (map, choice) => {
    const rows = product(map);
    const out = rows[choice % rows.length];
    if (rows.length === 1) return;
    const { tasks } = expanded({ ...map, exclude: [out] });
    expect(tasks.map((task) => task.axes)).toEqual(rows.filter((row) => row !== out));
  });

  test.prop([usable, fc.nat()])("finds each member by its values", (map, choice) => {
    const rows = product(map);
    const row = Object.entries(rows[choice % rows.length] ?? {});
    const filter = row
      .map(([name, text]) => `${name}=${encodeURIComponent(String(text))}`)
      .join(",");
    const text = JSON.stringify({ tasks: { t: { matrix: map }, u: { after: [`t@${filter}`] } } });
    const { tasks } = project(text);
    const after = tasks.at(-1)?.after ?? [];
    expect(tasks.filter(({ id }) => after.includes(id)).map((task) => task.axes)).toEqual([
      Object.fromEntries(row),
    ]);
  });
});
