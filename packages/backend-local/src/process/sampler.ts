// Peak memory of running attempts, seen by looking at their process trees now and then, and the
// kernel's count of processes killed for want of memory.

import { readFileSync } from "node:fs";
import type { Clock } from "@flow/core";
import type { Attempt } from "./attempt.ts";
import type { ProcessInfo, ProcessTable } from "./table.ts";

/** Time from one look to the next; the first come sooner, for short programs. */
const STEPS_MS: readonly number[] = [100, 200, 400, 800, 2000];

/** Looks at what runs, while anything runs. */
export class Sampler {
  readonly #table: ProcessTable;
  readonly #clock: Clock;
  readonly #watched = new Set<Attempt>();
  #step = 0;
  #cancel: (() => void) | undefined;
  /** Counts at the last two looks: a kill may be counted shortly before the end is noticed. */
  #kills: readonly [number, number];

  constructor(table: ProcessTable, clock: Clock) {
    this.#table = table;
    this.#clock = clock;
    const kills = countMemoryKills();
    this.#kills = [kills, kills];
  }

  add(attempt: Attempt): void {
    this.#watched.add(attempt);
    if (this.#cancel === undefined) {
      this.#step = 0;
      this.#arm();
    }
  }

  remove(attempt: Attempt): void {
    this.#watched.delete(attempt);
  }

  /** Whether the kernel has killed something for want of memory lately. */
  memoryKillSeen(): boolean {
    return countMemoryKills() > this.#kills[0];
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#watched.clear();
  }

  #arm(): void {
    const delay = STEPS_MS[Math.min(this.#step, STEPS_MS.length - 1)] ?? 0;
    this.#step += 1;
    this.#cancel = this.#clock.after(delay, () => {
      this.#cancel = undefined;
      if (this.#watched.size === 0) return;
      this.#look();
      this.#arm();
    });
  }

  #look(): void {
    this.#kills = [this.#kills[1], countMemoryKills()];
    const children = new Map<number, ProcessInfo[]>();
    for (const info of this.#table.list()) {
      const siblings = children.get(info.parent);
      if (siblings === undefined) children.set(info.parent, [info]);
      else siblings.push(info);
    }
    for (const attempt of this.#watched) {
      const below = attempt.leader === undefined ? [] : descendants(attempt.leader.pid, children);
      let sum = 0;
      let largest = 0;
      for (const { pid } of below) {
        const memory = this.#table.memory(pid);
        sum += memory?.now ?? 0;
        largest = Math.max(largest, memory?.peak ?? 0);
      }
      const seen = Math.max(sum, largest);
      if (seen > (attempt.peakMemoryBytes ?? 0)) attempt.peakMemoryBytes = seen;
    }
  }
}

function descendants(
  pid: number,
  children: ReadonlyMap<number, readonly ProcessInfo[]>,
): readonly ProcessInfo[] {
  const found = [...(children.get(pid) ?? [])];
  for (const info of found) found.push(...(children.get(info.pid) ?? []));
  return found;
}

/** Processes killed for want of memory since boot; 0 where the kernel does not count. */
function countMemoryKills(): number {
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync("/proc/vmstat", "latin1"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
