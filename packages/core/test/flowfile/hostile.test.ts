// Files made to hurt: they are refused quickly, with a place, and nothing leaks.

import { describe, expect, test } from "vitest";
import { load, project, shown } from "./loading.ts";

/** The codes of what is said, within a time of the processor that no quadratic reader keeps. */
function codes(text: string | Uint8Array): readonly string[] {
  const before = process.cpuUsage();
  const result = load(text);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000).toBeLessThan(15_000);
  return result.diagnostics.map(({ code }) => code);
}

describe("a hostile file", () => {
  test("that is too large for YAML is not parsed", () => {
    const text = `tasks: {a: {}} #${"x".repeat(8 * 2 ** 20)}`;
    expect(shown(load(text)).replace(/x{20,}/, "…")).toBe(
      `flow.yaml:1:1: error: this YAML has 8388624 characters; the limit is 8388608 [file-too-large]
  1 | tasks: {a: {}} #……
    | ^
  fix: Split it with \`include:\`, let a matrix make the tasks, or write it as plain JSON.`,
    );
    const tasks = Object.fromEntries(
      Array.from({ length: 9_000 }, (_, n) => [`task_${n}`, { desc: "x".repeat(1_000) }]),
    );
    expect(load(JSON.stringify({ tasks })).project?.tasks).toHaveLength(9_000);
  });

  test("that is too large for anything is not decoded", () => {
    expect(shown(load(new Uint8Array(64 * 2 ** 20 + 1)))).toBe(
      `error: \`flow.yaml\` has 67108865 bytes; the limit is 67108864 [file-too-large]
  fix: Split it with \`include:\`, or let a matrix make the tasks.`,
    );
  });

  test("that is not text is refused", () => {
    expect(shown(load(new Uint8Array([0x61, 0xff, 0xfe])))).toBe(
      "error: `flow.yaml` is not UTF-8 text [not-text]\n  fix: Save it in UTF-8.",
    );
  });

  test.each([
    ["lists", "[".repeat(1_000_000)],
    ["maps", "{a: ".repeat(300_000)],
    ["JSON", `{"a":${"[".repeat(1_000_000)}`],
    ["dashes", `tasks: \n  ${"- ".repeat(300_000)}`],
    ["question marks", "? ".repeat(300_000)],
    [
      "indentation",
      Array.from({ length: 2_000 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"),
    ],
  ])("of a million nested %s is refused as too deep", (_, text) => {
    expect(codes(text)).toEqual(["too-deep"]);
  });

  test("that is too deep can be followed by others in the same process", () => {
    for (let round = 0; round < 5; round += 1) {
      expect(codes("[".repeat(100_000))).toEqual(["too-deep"]);
      expect(project("tasks: {a: {}}").tasks).toHaveLength(1);
    }
  });

  test("of aliases that multiply is refused by what they come to", () => {
    const lines = ["x-0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"];
    for (let level = 1; level < 12; level += 1) {
      const alias = `*a${level - 1}`;
      lines.push(`x-${level}: &a${level} [${Array.from({ length: 10 }, () => alias).join(", ")}]`);
    }
    expect(codes(`${lines.join("\n")}\ntasks: {a: {}}\n`)).toEqual(["too-many-aliases"]);
  });

  test("may use an alias often when it stands for little", () => {
    const tasks = Array.from({ length: 2_000 }, (_, index) => `  t${index}: {env: *e}`).join("\n");
    expect(project(`x-e: &e {A: "1"}\ntasks:\n${tasks}\n`).tasks).toHaveLength(2_000);
  });

  test("cannot reach a prototype", () => {
    expect(codes('tasks: {a: {env: {__proto__: "1"}}}')).toEqual(["unknown-key"]);
    expect(codes('{"params": {"__proto__": {"x": 1}}, "tasks": {"a": {}}}')).toEqual([
      "unknown-key",
    ]);
    expect(codes("tasks: {a: {}}\nparams: {constructor: 1, toString: 2}")).toEqual([]);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  test("cannot smuggle NUL or half a character into a command", () => {
    expect(codes('tasks: {a: {actions: ["echo \\0"]}}')).toEqual(["bad-value"]);
    expect(codes('tasks: {a: {matrix: {x: ["\\ud800"]}}}')).toEqual(["bad-value"]);
    expect(codes('{"tasks": {"a": {"actions": ["echo \\u0000"]}}}')).toEqual(["bad-value"]);
    expect(codes('{"tasks": {"a": {"matrix": {"x": ["\\udc00"]}}}}')).toEqual(["bad-value"]);
    expect(codes("tasks: {a: {actions: ['echo \0']}}")).toEqual(["not-text"]);
    expect(codes('tasks: {a: {matrix: {x: ["\\ud83d\\ude00"]}}}')).toEqual([]);
  });

  test.each([
    ["comments", "# x\n".repeat(200_000)],
    ["documents", "---\n".repeat(300_000)],
    ["anchors", `x-a: [${Array.from({ length: 50_000 }, (_, n) => `&a${n} 1`).join(", ")}]`],
    ["line ends", "\n".repeat(500_000)],
    ["spaces", " ".repeat(4_000_000)],
    ["quotes", `x-a: "${'\\"'.repeat(500_000)}"`],
    ["open quotes", `x-a: "${"x\n".repeat(300_000)}`],
    ["plain lines", `x-a: ${"word\n  ".repeat(200_000)}`],
    ["templates", `tasks: {a: {desc: "${"${{ x }}".repeat(5_000)}"}}`],
    ["open templates", `tasks: {a: {desc: "${"${{ ".repeat(100_000)}"}}`],
    ["keys", `x-a: {${Array.from({ length: 60_000 }, (_, n) => `k${n}: 1`).join(", ")}}`],
    ["flow commas", `x-a: [${",".repeat(100_000)}]`],
    ["tabs", `x-a: ${"\t".repeat(1_000_000)}x`],
    ["colons", `x-a: ${":".repeat(500_000)}`],
    ["block text", `x-a: |\n${"  line\n".repeat(300_000)}`],
    ["dollars", `tasks: {a: {actions: ["${"$(".repeat(20_000)}\${{ task.id }}"]}}`],
  ])("of many %s is read or refused in time", (_, text) => {
    codes(text);
  });
});
