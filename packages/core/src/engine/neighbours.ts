// Other runs that live in the same project: tasks they are at are waited for, and what they hold of
// the shared cpus, memory and pools is not given out twice.

import type { RunId } from "../model/ids.ts";
import type { ResourceRequest } from "../model/resources.ts";
import type { Task } from "../model/task.ts";
import { lastAttempt } from "../record/attempt-record.ts";
import type { Services } from "./services.ts";

/** Pause between two looks at what the others do. */
const LOOK_MS = 200;

/** Pause between two counts of what the others hold. */
const COUNT_MS = 1000;

/** What other runs hold of what a project's runs share. */
interface Held {
  readonly cpusMilli: number;
  readonly memoryBytes: number;
  readonly pools: Readonly<Record<string, number>>;
}

const NOTHING: Held = { cpusMilli: 0, memoryBytes: 0, pools: {} };

export class Neighbours {
  readonly #services: Services;
  /** Tasks that wait for another run, and which. */
  readonly #waiting = new Map<number, RunId>();
  #cancel: (() => void) | undefined;
  #countedAt = 0;
  /** As the machine was told. */
  #held = NOTHING;

  constructor(services: Services) {
    this.#services = services;
  }

  /** Counts what others hold, and goes on counting: another run may begin at any time. */
  begin(): void {
    this.#count();
    this.#lookLater();
  }

  /**
   * Starts a task while no other run can start one. Undefined, with nothing done, when another run has
   * taken of what the task needs since the machine was told, or is just starting something itself.
   */
  admit<T>(task: Task, request: ResourceRequest, start: () => T): T | undefined {
    const { claims, layout } = this.#services;
    const { run, ports } = this.#services.request;
    const isSharing = request.memoryBytes !== undefined || Object.keys(task.pools).length > 0;
    if (!isSharing || claims.runs().every((each) => each === run)) return start();
    const lock = ports.locks.take(`${layout.locks}/admission`, run);
    if (lock === undefined) return undefined;
    try {
      const told = this.#held;
      this.#count();
      return leavesAsMuch(told, this.#held, task, request) ? start() : undefined;
    } finally {
      lock.release();
    }
  }

  waitFor(index: number, run: RunId): void {
    const task = this.#services.tasks[index] as Task;
    this.#waiting.set(index, run);
    this.#services.recorder.emit({
      type: "task/held",
      task: task.id,
      template: task.template,
      by: run,
    });
    this.#lookLater();
  }

  close(): void {
    this.#cancel?.();
    this.#waiting.clear();
  }

  #lookLater(): void {
    const { clock } = this.#services;
    this.#cancel ??= clock.after(LOOK_MS, () => {
      this.#cancel = undefined;
      this.#look();
      const isDue = clock.now() - this.#countedAt >= COUNT_MS;
      if (isDue || this.#held !== NOTHING) this.#count();
      this.#lookLater();
    });
  }

  #look(): void {
    const { tasks, claims, post, reload } = this.#services;
    for (const [index, run] of this.#waiting) {
      const { key } = tasks[index] as Task;
      const holder = claims.holder(key);
      if (holder === run && claims.isLive(run)) continue;
      this.#waiting.delete(index);
      reload(key);
      post({ type: "task/released", task: index });
    }
  }

  #others(): readonly RunId[] {
    const { claims, request } = this.#services;
    return claims.runs().filter((run) => run !== request.run && claims.isLive(run));
  }

  #count(): void {
    const { clock, post } = this.#services;
    this.#countedAt = clock.now();
    const held = this.#sum(new Set(this.#others()));
    if (JSON.stringify(held) === JSON.stringify(this.#held)) return;
    this.#held = held;
    post({ type: "foreign/changed", ...held });
  }

  #sum(others: ReadonlySet<RunId>): Held {
    const { claims, layout, files } = this.#services;
    let cpusMilli = 0;
    let memoryBytes = 0;
    const pools: Record<string, number> = {};
    for (const { task, run } of others.size === 0 ? [] : claims.all()) {
      const record = others.has(run) ? lastAttempt(layout, task, files)?.record : undefined;
      if (record === undefined) continue;
      cpusMilli += record.resources.cpusMilli ?? 0;
      memoryBytes += record.resources.memoryBytes ?? 0;
      for (const [pool, amount] of Object.entries(record.task.pools)) {
        pools[pool] = (pools[pool] ?? 0) + amount;
      }
    }
    return { cpusMilli, memoryBytes, pools };
  }
}

/** Whether `now` takes away nothing of what the task needs that `before` left to it. */
function leavesAsMuch(before: Held, now: Held, { pools }: Task, request: ResourceRequest): boolean {
  if (request.memoryBytes !== undefined && now.memoryBytes > before.memoryBytes) return false;
  return Object.keys(pools).every((pool) => (now.pools[pool] ?? 0) <= (before.pools[pool] ?? 0));
}
