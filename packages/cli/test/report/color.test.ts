import { describe, expect, it } from "vitest";
import { paintFor, wantsColor } from "../../src/report/color.ts";
import { outputMode } from "../../src/report/reporter.ts";
import { fakeIo, fakeOutput } from "../fake-io.ts";

describe("whether to colour", () => {
  it.each<[string | undefined, Record<string, string>, boolean, boolean]>([
    [undefined, {}, true, true],
    [undefined, {}, false, false],
    ["always", { NO_COLOR: "1" }, false, true],
    ["never", { FORCE_COLOR: "1" }, true, false],
    ["auto", { NO_COLOR: "1", FORCE_COLOR: "1" }, true, false],
    [undefined, { NO_COLOR: "" }, true, true],
    [undefined, { FORCE_COLOR: "1" }, false, true],
    [undefined, { FORCE_COLOR: "0" }, true, false],
    [undefined, { FORCE_COLOR: "1", TERM: "dumb" }, false, true],
    [undefined, { CLICOLOR_FORCE: "1" }, false, true],
    [undefined, { CLICOLOR_FORCE: "0" }, true, true],
    [undefined, { TERM: "dumb" }, true, false],
  ])("--color %s with %j on a terminal: %s → %s", (option, env, isTTY, expected) => {
    expect(wantsColor(option, env, isTTY)).toBe(expected);
  });

  it("decides also against what the process itself was started with", () => {
    const paint = paintFor(fakeOutput([80, 24]), "always", {});
    expect(paint("good", "yes")).toBe("\u001b[32myes\u001b[39m");
  });
});

describe("the form of output", () => {
  it.each<[string | undefined, Record<string, string>, boolean, string]>([
    [undefined, {}, true, "live"],
    [undefined, {}, false, "plain"],
    [undefined, { CI: "true" }, true, "plain"],
    [undefined, { CI: "false" }, true, "live"],
    [undefined, { TERM: "dumb" }, true, "plain"],
    [undefined, { ACCESSIBLE: "1" }, true, "plain"],
    ["live", { CI: "1" }, false, "live"],
    ["auto", { FLOW_OUTPUT: "json" }, true, "live"],
    [undefined, { FLOW_OUTPUT: "json" }, true, "json"],
    [undefined, { FLOW_OUTPUT: "nonsense" }, false, "plain"],
  ])("--output %s with %j on a terminal: %s → %s", (option, env, isTTY, mode) => {
    const io = fakeIo(isTTY ? { env, terminal: [80, 24] } : { env });
    const given = (...flags: readonly string[]) => ({
      has: (flag: string) => flags.includes(flag),
      value: () => option,
    });
    expect(outputMode(given(), io)).toBe(mode);
    expect(outputMode(given("quiet"), io)).toBe("quiet");
    expect(outputMode(given("quiet", "json"), io)).toBe("json");
  });
});
