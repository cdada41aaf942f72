import { describe, expect, it } from "vitest";
import { maskFor } from "../../src/report/mask.ts";

describe("masking", () => {
  const env = { TOKEN: "hunter2-hunter2", PIN: "1234", KEY: "-----BEGIN\nMIIEabc/+==\n-----END" };

  it("hides a value wherever it stands", () => {
    const mask = maskFor(["TOKEN"], env);
    expect(mask("Authorization: Bearer hunter2-hunter2, again hunter2-hunter2")).toBe(
      "Authorization: Bearer ***, again ***",
    );
  });

  it("hides each line of a value of several lines", () => {
    expect(maskFor(["KEY"], env)("key: MIIEabc/+==")).toBe("key: ***");
  });

  it("hides base64 and URL forms", () => {
    const mask = maskFor(["TOKEN", "KEY"], env);
    expect(mask(`basic ${Buffer.from("hunter2-hunter2").toString("base64")}`)).toBe("basic ***");
    expect(mask(`?key=${encodeURIComponent("MIIEabc/+==")}`)).toBe("?key=***");
  });

  it("leaves short values alone, which would hide half of every log", () => {
    expect(maskFor(["PIN"], env)("at 12345 ms")).toBe("at 12345 ms");
  });

  it("hides the longer of two values of which one begins the other", () => {
    const both = { A: "secret", B: "secret-and-more" };
    expect(maskFor(["A", "B"], both)("x secret-and-more y secret z")).toBe("x *** y *** z");
  });

  it("knows only the variables that were named", () => {
    expect(maskFor([], env)("hunter2-hunter2")).toBe("hunter2-hunter2");
    expect(maskFor(["MISSING"], env)("hunter2-hunter2")).toBe("hunter2-hunter2");
  });
});
