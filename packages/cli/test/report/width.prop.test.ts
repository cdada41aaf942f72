import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { shortName } from "../../src/report/names.ts";
import { sanitizeLine } from "../../src/report/sanitize.ts";
import { cut, displayWidth } from "../../src/report/width.ts";
import { terminal } from "./terminal.ts";

const anyText = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.string({ unit: "binary", maxLength: 20 }),
);

describe("the width of text", () => {
  test.prop([anyText])("is never less than what a terminal uses", async (text) => {
    const printable = sanitizeLine(text);
    const screen = terminal(200, 2);
    await screen.write(printable);
    expect(displayWidth(printable)).toBeGreaterThanOrEqual(screen.column);
  });

  test.prop([anyText, fc.nat({ max: 30 })])("is kept to by every cut", (text, columns) => {
    expect(displayWidth(cut(sanitizeLine(text), columns))).toBeLessThanOrEqual(columns);
    expect(displayWidth(shortName(`t@${sanitizeLine(text)}`, columns))).toBeLessThanOrEqual(
      columns,
    );
  });
});
