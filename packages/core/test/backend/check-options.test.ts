import { expect, it } from "vitest";
import * as z from "zod";
import { checkOptions, durationOption } from "../../src/reading.ts";

const schema = z.strictObject({
  poll: z.number("Expected a number.").default(5),
  mounts: z.array(z.strictObject({ path: z.string("Expected a path.") })).default([]),
});

it.each([undefined, null, {}])("takes %j for no options", (input) => {
  expect(checkOptions(schema, input)).toEqual({ ok: true, value: { poll: 5, mounts: [] } });
});

it("tells all that is wrong, each with the place where it stands", () => {
  expect(checkOptions(schema, { poll: "soon", mounts: [{ path: 1 }] })).toEqual({
    ok: false,
    error: [
      { path: ["poll"], message: "Expected a number." },
      { path: ["mounts", 0, "path"], message: "Expected a path." },
    ],
  });
});

it("says of a key that nobody knows which one is meant, at that key", () => {
  expect(checkOptions(schema, { pol: 1, x: 2, mounts: [{ path: "p", pth: "q" }] })).toEqual({
    ok: false,
    error: [
      { path: ["mounts", 0, "pth"], message: "Unknown option `pth`." },
      { path: ["pol"], message: "Unknown option `pol`. Did you mean `poll`?" },
      { path: ["x"], message: "Unknown option `x`. Known are `poll`, `mounts`." },
    ],
  });
});

it.each([
  ["10s", 10_000],
  ["2h", 7_200_000],
  [0, 0],
])("takes %j for a duration", (input, value) => {
  expect(checkOptions(durationOption, input)).toEqual({ ok: true, value });
});

it.each(["soon", ""])("says what a duration looks like when it is %j", (input) => {
  const message = "Expected a duration, such as `10s` or `2h`.";
  expect(checkOptions(durationOption, input)).toEqual({
    ok: false,
    error: [{ path: [], message }],
  });
});
