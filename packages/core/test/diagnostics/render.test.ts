import { describe, expect, test } from "vitest";
import type { Diagnostic } from "../../src/diagnostics/diagnostic.ts";
import { renderDiagnostics } from "../../src/diagnostics/render.ts";
import { Report } from "../../src/diagnostics/report.ts";
import { lineText, positionOf } from "../../src/diagnostics/source.ts";
import { nearest } from "../../src/diagnostics/suggest.ts";

const diagnostic = (rest: Partial<Diagnostic> = {}): Diagnostic => ({
  code: "bad-value",
  severity: "error",
  message: "not good",
  span: { file: 0, start: 3, end: 6 },
  related: [],
  fix: undefined,
  ...rest,
});

const source = (text: string) => [{ path: "f.yaml", text }];

describe("a diagnostic", () => {
  test("is shown with place, frame, related places and what to do", () => {
    const text = renderDiagnostics(
      [
        diagnostic({
          related: [{ span: { file: 0, start: 0, end: 1 }, message: "first here" }],
          fix: "Do this.\nOr that.",
        }),
        diagnostic({ severity: "warning", span: undefined, message: "in general" }),
      ],
      source("a: foo bar\n"),
    );
    expect(text).toBe(`f.yaml:1:4: error: not good [bad-value]
  1 | a: foo bar
    |    ^^^
  f.yaml:1:1: first here
  1 | a: foo bar
    | ^
  fix: Do this.
       Or that.

warning: in general [bad-value]`);
  });

  test("has carets on the first line of a longer place", () => {
    expect(
      renderDiagnostics(
        [diagnostic({ span: { file: 0, start: 3, end: 14 } })],
        source("a: foo\nb: bar\n"),
      ),
    ).toBe(`f.yaml:1:4: error: not good [bad-value]
  1 | a: foo
    |    ^^^`);
  });

  test("has its carets under wide characters, tabs and emoji", () => {
    const text = "日本\té👍: x";
    const start = text.indexOf("x");
    expect(
      renderDiagnostics([diagnostic({ span: { file: 0, start, end: start + 1 } })], source(text)),
    ).toBe(`f.yaml:1:8: error: not good [bad-value]
  1 | 日本 é👍: x
    |           ^`);
  });

  test("shows a part of a long line", () => {
    const text = `${"a".repeat(300)}XYZ${"b".repeat(300)}`;
    const [, line, carets] = renderDiagnostics(
      [diagnostic({ span: { file: 0, start: 300, end: 303 } })],
      source(text),
    ).split("\n");
    expect(line).toBe(`  1 | …${"a".repeat(20)}XYZ${"b".repeat(77)}…`);
    expect(carets?.indexOf("^^^")).toBe(line?.indexOf("XYZ"));
  });

  test("at the end of a file or beyond its text has one caret", () => {
    expect(
      renderDiagnostics([diagnostic({ span: { file: 0, start: 99, end: 99 } })], source("ab")),
    ).toBe(`f.yaml:1:3: error: not good [bad-value]
  1 | ab
    |   ^`);
  });

  test("lets nothing of the file drive the terminal", () => {
    const hostile = "a\u001b[2J\u0007\u202e\r\u009b: b";
    const text = renderDiagnostics(
      [
        diagnostic({
          message: `bad ${hostile}`,
          fix: hostile,
          span: { file: 0, start: 0, end: 1 },
        }),
      ],
      [{ path: `x\u001b]0;y\u0007`, text: hostile }],
    );
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
  });

  test("has colours when asked", () => {
    const text = renderDiagnostics([diagnostic()], source("a: foo"), { color: true });
    expect(text).toContain("\u001b[1;31merror\u001b[0m");
    expect(text.replace(/\u001b\[[\d;]*m/g, "")).toBe(
      renderDiagnostics([diagnostic()], source("a: foo")),
    );
  });
});

describe("a place", () => {
  const text = "ab\r\n𝒳y\n";

  test("counts lines and characters from one", () => {
    expect(positionOf({ path: "", text }, 0)).toEqual({ line: 1, column: 1 });
    expect(positionOf({ path: "", text }, text.indexOf("y"))).toEqual({ line: 2, column: 2 });
    expect(positionOf({ path: "", text }, 999)).toEqual({ line: 3, column: 1 });
  });

  test("has a line without its end", () => {
    expect([1, 2, 3, 4].map((line) => lineText({ path: "", text }, line))).toEqual([
      "ab",
      "𝒳y",
      "",
      "",
    ]);
  });
});

describe("a report", () => {
  test("says one thing of a kind per place", () => {
    const report = new Report();
    for (const message of ["a", "b"])
      report.error("bad-value", { file: 0, start: 0, end: 1 }, message);
    report.error("bad-name", { file: 0, start: 0, end: 1 }, "c");
    report.warn("bad-value", undefined, "d");
    report.error("bad-value", undefined, "e");
    expect(report.diagnostics.map(({ message }) => message)).toEqual(["a", "c", "d", "e"]);
    expect(report.errors).toBe(3);
  });
});

describe("a suggestion", () => {
  test.each([
    ["tragets", "targets"],
    ["Target", "targets"],
    ["dpes", "deps"],
    ["omo", "oom"],
    ["xyz", undefined],
    ["a", undefined],
  ])("for %s is %s", (word, found) => {
    expect(nearest(word, ["targets", "deps", "tags", "oom", "b"])).toBe(found);
  });
});
