/** How many cpus and how much memory there are to give out. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { capacity } from "../../src/process/capacity.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flow-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function capacityWith(membership: string, files: Readonly<Record<string, string>>) {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, "sys", path, ".."), { recursive: true });
    writeFileSync(join(folder, "sys", path), text);
  }
  writeFileSync(join(folder, "cgroup"), membership);
  return capacity({ membership: join(folder, "cgroup"), hierarchy: join(folder, "sys") });
}

const MACHINE = { cpusMilli: availableParallelism() * 1000, memoryBytes: totalmem() };

it("is the machine's without cgroups", () => {
  expect(capacityWith("", {})).toEqual(MACHINE);
});

it("is the quota of a cgroup where that is less", () => {
  expect(
    capacityWith("0::/app\n", { "app/cpu.max": "50000 100000\n", "app/memory.max": "1048576\n" }),
  ).toEqual({ cpusMilli: 500, memoryBytes: 1_048_576 });
});

it("is that of the tightest cgroup above", () => {
  expect(
    capacityWith("0::/a/b\n", {
      "a/cpu.max": "20000 100000",
      "a/memory.max": "max",
      "a/b/cpu.max": "max 100000",
      "a/b/memory.max": "2097152",
    }),
  ).toEqual({ cpusMilli: 200, memoryBytes: 2_097_152 });
});

it("reads the older form of cgroups too", () => {
  expect(
    capacityWith("4:memory:/m\n3:cpu,cpuacct:/c\n", {
      "cpu,cpuacct/c/cpu.cfs_quota_us": "75000",
      "cpu,cpuacct/c/cpu.cfs_period_us": "100000",
      "memory/m/memory.limit_in_bytes": "4194304",
    }),
  ).toEqual({ cpusMilli: 750, memoryBytes: 4_194_304 });
});

it("is not lowered by limits that are none", () => {
  expect(
    capacityWith("4:memory:/\n3:cpu:/\n", {
      "cpu/cpu.cfs_quota_us": "-1",
      "cpu/cpu.cfs_period_us": "100000",
      "memory/memory.limit_in_bytes": "9223372036854771712",
    }),
  ).toEqual(MACHINE);
});
