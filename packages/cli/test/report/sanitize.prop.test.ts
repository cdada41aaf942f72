import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { sanitize } from "../../src/report/sanitize.ts";

describe("sanitised text", () => {
  const nasty = fc.array(
    fc.oneof(
      fc.constantFrom("\u001b", "[", "]", "P", "\\", ";", "1", "m", "\u009b", "\u009d", "\u0090"),
      fc.constantFrom("\u0007", "\b", "\r", "\n", "\t", "\u0000", "\u202e", "\ud800", "\u{e0001}"),
      fc.string({ unit: "binary", maxLength: 3 }),
    ),
    { maxLength: 40 },
  );

  test.prop([nasty])("never keeps a control character but newline and tab", (parts) => {
    const text = sanitize(parts.join(""));
    expect(text).not.toMatch(/[^\n\t\P{Cc}]/u);
    expect(text).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
    expect(text).not.toMatch(/\p{Surrogate}/u);
    expect(sanitize(text)).toBe(text);
  });
});
