import { fc, test as property } from "@fast-check/vitest";
import { describe, expect, test } from "vitest";
import { formatBytes, formatDuration, parseBytes, parseDuration } from "../../src/model/units.ts";

describe("a duration", () => {
  test.each([
    ["90", 90_000],
    ["1.5", 1_500],
    ["500ms", 500],
    ["30s", 30_000],
    ["1h30m", 5_400_000],
    ["1.5h", 5_400_000],
    ["2d", 172_800_000],
    ["1w", 604_800_000],
    ["02:30:00", 9_000_000],
    ["1-12:00:00", 129_600_000],
    [" 5m ", 300_000],
  ])("%j is %d ms", (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  test.each(["", "5 minutes", "m", "-1", "1h 30m", "1x", "1e3", "99999999999999w", "12:61:00"])(
    "%j is none",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  test.each([
    [0, "0ms"],
    [450, "450ms"],
    [12_340, "12.3s"],
    [60_000, "1m"],
    [245_000, "4m05s"],
    [11_220_000, "3h07m"],
    [187_200_000, "2d04h"],
    [59_990, "1m"],
  ])("%d ms are shown as %s", (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  property.prop([fc.nat(1_000_000_000)])(
    "that is shown can be read again, nearly",
    (milliseconds) => {
      const again = parseDuration(formatDuration(milliseconds)) ?? Number.NaN;
      expect(Math.abs(again - milliseconds)).toBeLessThanOrEqual(Math.max(50, milliseconds * 0.05));
    },
  );
});

describe("a size", () => {
  test.each([
    ["0", 0],
    ["512MB", 512e6],
    ["4G", 4e9],
    ["1.5GiB", 1.5 * 2 ** 30],
    ["2 TB", 2e12],
    ["100b", 100],
    ["3ki", 3072],
  ])("%j is %d bytes", (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes);
  });

  test.each(["", "4", "4XB", "GB", "-1GB", "1e3MB", "9e9TB", "99999999TB"])(
    "%j is none",
    (text) => {
      expect(parseBytes(text)).toBeUndefined();
    },
  );

  test.each([
    [0, "0 B"],
    [999, "999 B"],
    [1_500, "1.5 kB"],
    [999_999, "1 MB"],
    [12e9, "12 GB"],
    [123e9, "123 GB"],
  ])("%d bytes are shown as %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});
