// Kernel locks through util-linux `flock` on an inherited descriptor: the lock belongs to the open
// file, so it outlives the helper, dies with this process whatever kills it, and is not inherited by
// the tasks (descriptors are close-on-exec). Without `flock` the lock is the file's content: pid,
// start time and boot id of a process that lives.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { hostname } from "node:os";
import type { HeldLock, Locks } from "../locks.ts";

interface Owner {
  readonly host: string;
  readonly boot: string;
  readonly pid: number;
  /** Start time in clock ticks since boot; empty where /proc is missing. */
  readonly start: string;
}

const text = (path: string): string => {
  try {
    return fs.readFileSync(path, "utf8");
  } catch {
    return "";
  }
};

/** This boot of this machine; empty where it cannot be told. */
const bootId = (): string => text("/proc/sys/kernel/random/boot_id").trim();

/** Start time of a process in clock ticks since boot; empty when it is gone or a zombie. */
function processStart(pid: number): string {
  const stat = text(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" || fields[0] === "X" ? "" : (fields[19] ?? "");
}

const self = (): Owner => ({
  host: hostname(),
  boot: bootId(),
  pid: process.pid,
  start: processStart(process.pid),
});

/** Result of trying `flock -n` on a descriptor: got it, somebody has it, or there is no `flock`. */
function flock(descriptor: number): "taken" | "held" | "missing" {
  const result = spawnSync("flock", ["-n", "-x", "3"], {
    stdio: ["ignore", "ignore", "ignore", descriptor],
  });
  if (result.error !== undefined) return "missing";
  return result.status === 0 ? "taken" : "held";
}

/** True when the owner written in the file is a process that lives, or one on a host we cannot see. */
function ownerLives(path: string): boolean {
  try {
    const owner = JSON.parse(text(path)) as Owner;
    if (owner.host !== hostname()) return true;
    return owner.boot === bootId() && owner.start !== "" && processStart(owner.pid) === owner.start;
  } catch {
    return false;
  }
}

/**
 * A descriptor of the file with its lock; undefined when somebody holds it. A file that was removed
 * between its opening and its locking is nobody's to see, so the one that took its place is locked.
 */
function lockedDescriptor(path: string): number | undefined {
  for (;;) {
    const descriptor = fs.openSync(path, "a+", 0o600);
    const state = flock(descriptor);
    if (state === "held" || (state === "missing" && ownerLives(path))) {
      fs.closeSync(descriptor);
      return undefined;
    }
    if (fs.fstatSync(descriptor).ino === fs.statSync(path, { throwIfNoEntry: false })?.ino) {
      return descriptor;
    }
    fs.closeSync(descriptor);
  }
}

/** Lock files that this process holds; a second open file of ours would not notice. */
const mine = new Set<string>();

export const nodeLocks: Locks = {
  take(path, owner): HeldLock | undefined {
    if (mine.has(path)) return undefined;
    const descriptor = lockedDescriptor(path);
    if (descriptor === undefined) return undefined;
    fs.ftruncateSync(descriptor, 0);
    fs.writeSync(descriptor, `${JSON.stringify({ ...self(), owner })}\n`);
    mine.add(path);
    return {
      release(): void {
        mine.delete(path);
        fs.closeSync(descriptor);
      },
    };
  },
  isHeld(path): boolean {
    if (mine.has(path)) return true;
    let descriptor: number;
    try {
      descriptor = fs.openSync(path, "r");
    } catch {
      return false;
    }
    try {
      const state = flock(descriptor);
      return state === "missing" ? ownerLives(path) : state === "held";
    } finally {
      fs.closeSync(descriptor);
    }
  },
};
