import { describe, expect, it } from "vitest";
import type { CommandRow } from "../src/command-row.ts";
import { parseInvocation } from "../src/invocation.ts";

const row: CommandRow = {
  name: "try",
  group: "run",
  summary: "",
  positionals: "SEL…",
  arity: [0, 9],
  options: [
    { name: "jobs", short: "n", value: "N", help: "" },
    { name: "param", short: "p", value: "K=V", multiple: true, help: "" },
    { name: "keep-going", short: "k", help: "" },
    { name: "quiet", short: "q", help: "" },
  ],
};

function parse(args: readonly string[], of: CommandRow = row) {
  const parsed = parseInvocation(of, of.options, args);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problem));
  return parsed.invocation;
}

describe("an argument list", () => {
  it("gives values in every usual spelling", () => {
    for (const args of [["-n", "4"], ["-n4"], ["--jobs", "4"], ["--jobs=4"]]) {
      expect(parse(args).value("jobs")).toBe("4");
    }
  });

  it("takes the last of repeated values and keeps all in order", () => {
    const invocation = parse(["-p", "a=1", "-p", "b=2"]);
    expect(invocation.value("param")).toBe("b=2");
    expect(invocation.values("param")).toEqual(["a=1", "b=2"]);
  });

  it("takes grouped letters apart", () => {
    const invocation = parse(["-kqn2"]);
    expect(invocation.has("keep-going")).toBe(true);
    expect(invocation.has("quiet")).toBe(true);
    expect(invocation.value("jobs")).toBe("2");
  });

  it("takes values that begin with a dash", () => {
    expect(parse(["-p", "-x=-1"]).value("param")).toBe("-x=-1");
  });

  it("mixes selectors and options, and takes what follows -- as it is", () => {
    expect(parse(["+a", "-k", "!b", "--", "-n"]).positionals).toEqual(["+a", "!b", "-n"]);
  });

  it("leaves the command line of another program alone", () => {
    const through = { ...row, passThrough: true };
    for (const args of [
      ["-k", "python", "t.py", "-n", "4", "--", "x"],
      ["-k", "--", "python", "t.py", "-n", "4", "--", "x"],
    ]) {
      const invocation = parse(args, through);
      expect(invocation.has("keep-going")).toBe(true);
      expect(invocation.value("jobs")).toBeUndefined();
      expect(invocation.positionals).toEqual(["python", "t.py", "-n", "4", "--", "x"]);
    }
  });

  it("treats an option the command lacks as a bug of the caller", () => {
    expect(() => parse([]).value("file")).toThrow("`flow try` has no option --file");
  });
});
