import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { load, project, shown } from "./loading.ts";

/** Text without templates of its own. */
const literal = fc
  .string({ unit: "grapheme", maxLength: 10 })
  .filter((text) => !/[\0\p{Surrogate}]/u.test(text) && !text.includes("$") && !/[{}]/.test(text));

const parts = fc.array(fc.tuple(literal, literal), { minLength: 1, maxLength: 4 });

describe("a template in a text", () => {
  test.prop([parts])("stands for its value, whatever is around it", (pairs) => {
    const params = Object.fromEntries(pairs.map(([, value], index) => [`p${index}`, value]));
    const desc = pairs.map(([before], index) => `${before}\${{ params.p${index} }}`).join("");
    const json = JSON.stringify({ params, tasks: { a: { desc } } });
    expect(project(json).tasks[0]?.desc).toBe(pairs.flat().join(""));
  });

  test.prop([parts, fc.nat()])("that means nothing is shown where it stands", (pairs, choice) => {
    const wrong = choice % pairs.length;
    const params = Object.fromEntries(pairs.map(([, value], index) => [`p${index}`, value]));
    const desc = pairs
      .map(([before], index) => `${before}\${{ params.${index === wrong ? "nope" : `p${index}`} }}`)
      .join("");
    const json = JSON.stringify({ params, tasks: { a: { desc } } });
    const { span } = load(json).diagnostics[0] ?? {};
    expect(json.slice(span?.start, span?.end)).toBe("${{ params.nope }}");
  });

  test.prop([
    fc.string({ unit: fc.constantFrom("$", "{", "}", "{{", "}}", " ", "a", ".", "|", "raw") }),
  ])("that cannot be read never throws", (desc) => {
    const result = load(JSON.stringify({ tasks: { a: { desc, actions: [desc, ["x", desc]] } } }));
    expect(typeof shown(result)).toBe("string");
  });
});
