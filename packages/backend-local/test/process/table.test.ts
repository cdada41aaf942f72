/** What is read of processes, from /proc and from ps. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isAlive, linuxTable, psTable } from "../../src/process/table.ts";
import { until } from "../rig.ts";

let child: ChildProcess;
let pid: number;

beforeAll(async () => {
  const env = { ...process.env, FLOW_ATTEMPT_DIR: "0123456789abcdef-7" };
  child = spawn("sleep", ["100"], { detached: true, stdio: "ignore", env });
  pid = child.pid ?? 0;
  // It is there a moment before it is that program.
  await until(() => readFileSync(`/proc/${pid}/cmdline`, "latin1") === "sleep\u0000100\u0000");
});

afterAll(() => {
  child.kill("SIGKILL");
});

describe.each([
  ["/proc", () => linuxTable("/proc")],
  ["ps", psTable],
])("read from %s, a process", (_source, make) => {
  it("has its parent, group and session", () => {
    const table = make();
    const info = table.read(pid);
    expect(info).toMatchObject({
      pid,
      parent: process.pid,
      group: pid,
      session: pid,
      zombie: false,
    });
    expect(table.list()).toContainEqual(info);
  });

  it("has a program and memory", () => {
    const table = make();
    expect(table.program(pid)).toMatch(/sleep|coreutils|busybox/);
    expect(table.memory(pid)?.peak).toBeGreaterThanOrEqual(table.memory(pid)?.now ?? Infinity);
    expect(table.memory(2 ** 22 + 1)).toBeUndefined();
    expect(table.read(2 ** 22 + 1)).toBeUndefined();
  });

  it("is alive under its own start time and boot only", () => {
    const table = make();
    const { boot } = table;
    const start = table.read(pid)?.start ?? "";
    expect(isAlive({ pid, start, boot }, table)).toBe(true);
    expect(isAlive({ pid, start: `${start}0`, boot }, table)).toBe(false);
    expect(isAlive({ pid, start, boot: `${boot}0` }, table)).toBe(false);
  });
});

it("a mark is read from the environment it was started with", () => {
  const table = linuxTable("/proc");
  expect(table.mark(pid)).toBe("0123456789abcdef-7");
  expect(table.mark(1)).toBeUndefined();
});

it("a name full of blanks and parentheses does not shift the fields", () => {
  const proc = mkdtempSync(join(tmpdir(), "flow-"));
  try {
    mkdirSync(join(proc, "7"));
    const rest = Array.from({ length: 48 }, (_, index) => index + 5).join(" ");
    writeFileSync(join(proc, "7", "stat"), `7 (a ) S 1 2 (b) Z 3 4 ${rest}`);
    expect(linuxTable(proc).read(7)).toEqual({
      pid: 7,
      parent: 3,
      group: 4,
      session: 5,
      start: "21",
      zombie: true,
      forked: false,
    });
  } finally {
    rmSync(proc, { recursive: true });
  }
});

it("signals that a process catches or ignores are known", () => {
  const proc = mkdtempSync(join(tmpdir(), "flow-"));
  try {
    mkdirSync(join(proc, "7"));
    const status = "Name:\tx\nSigIgn:\t0000000000000002\nSigCgt:\t0000000000004000\n";
    writeFileSync(join(proc, "7", "status"), status);
    const table = linuxTable(proc);
    expect([1, 2, 9, 14, 15, 16].filter((signal) => table.handles(7, signal))).toEqual([2, 15]);
  } finally {
    rmSync(proc, { recursive: true });
  }
});
