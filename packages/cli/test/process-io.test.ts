import { expect, test } from "vitest";
import { knownSize } from "../src/process-io.ts";

test("a terminal that was never told its size has no size, rather than none to write in", () => {
  expect(knownSize(0)).toBeUndefined();
  expect(knownSize(undefined)).toBeUndefined();
  expect(knownSize(120)).toBe(120);
});
