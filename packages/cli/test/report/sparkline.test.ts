import { describe, expect, it } from "vitest";
import { shortNumber, sparkline } from "../../src/report/sparkline.ts";

describe("a curve in one line", () => {
  it("goes from the lowest to the highest value", () => {
    expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 10)).toBe("▁▂▃▄▅▆▇█");
    expect(sparkline([3, 3, 3], 10)).toBe("▁▁▁");
    expect(sparkline([3], 10)).toBe("");
  });

  it("averages what shares a column", () => {
    expect(sparkline([0, 0, 10, 10], 2)).toBe("▁█");
    expect([
      ...sparkline(
        Array.from({ length: 1000 }, (_, index) => index),
        10,
      ),
    ]).toHaveLength(10);
  });

  it("stands beside numbers of four digits", () => {
    expect([0.1234567, 12345678, 5].map(shortNumber)).toEqual(["0.1235", "12350000", "5"]);
  });
});
