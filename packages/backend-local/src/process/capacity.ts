// How many cpus and how much memory this process may use: what the machine has, or less where its
// cgroup says so.

import { readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";

/** What there is to give out. */
export interface Capacity {
  /** Thousandths of a cpu. */
  readonly cpusMilli: number;
  readonly memoryBytes: number;
}

/** Where the kernel tells of cgroups; another place in tests. */
export interface CapacitySources {
  /** `/proc/self/cgroup`. */
  readonly membership: string;
  /** `/sys/fs/cgroup`. */
  readonly hierarchy: string;
}

const SYSTEM: CapacitySources = { membership: "/proc/self/cgroup", hierarchy: "/sys/fs/cgroup" };

/** Reads the capacity now. */
export function capacity(sources: CapacitySources = SYSTEM): Capacity {
  const limits = cgroupDirectories(sources).map(limitsOf);
  const cpus = limits.map((limit) => limit.cpusMilli);
  const memory = limits.map((limit) => limit.memoryBytes);
  return {
    cpusMilli: Math.min(availableParallelism() * 1000, ...cpus),
    memoryBytes: Math.min(totalmem(), ...memory),
  };
}

/** The directories of this process's cgroups and of all above them: each may limit it. */
function cgroupDirectories({ membership, hierarchy }: CapacitySources): readonly string[] {
  const found: string[] = [];
  for (const line of (read(membership) ?? "").split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const mounts = controllers === "" ? ["", "unified"] : [controllers, ...controllers.split(",")];
    const steps = path.split("/").filter((step) => step !== "");
    for (const mount of mounts)
      for (let depth = 0; depth <= steps.length; depth++)
        found.push(join(hierarchy, mount, ...steps.slice(0, depth)));
  }
  return found;
}

function limitsOf(directory: string): { cpusMilli: number; memoryBytes: number } {
  const [quota, period] = (read(join(directory, "cpu.max")) ?? "").split(" ").map(Number);
  const oldQuota = Number(read(join(directory, "cpu.cfs_quota_us")) ?? "-1");
  const oldPeriod = Number(read(join(directory, "cpu.cfs_period_us")) ?? "0");
  const bytes = [
    read(join(directory, "memory.max")),
    read(join(directory, "memory.limit_in_bytes")),
  ].map((text) => positive(Number(text ?? "0")));
  return {
    cpusMilli: Math.min(share(quota, period), share(oldQuota, oldPeriod)),
    memoryBytes: Math.min(...bytes),
  };
}

function share(quota: number | undefined, period: number | undefined): number {
  if (quota === undefined || period === undefined || !(quota > 0) || !(period > 0)) return Infinity;
  return Math.max(1, Math.round((quota / period) * 1000));
}

const positive = (value: number): number => (value > 0 ? value : Infinity);

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1").trim();
  } catch {
    return undefined;
  }
}
