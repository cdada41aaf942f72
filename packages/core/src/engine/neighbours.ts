// Other runs that live in the same project: tasks they are at are waited for, and what they hold of
// the shared cpus, memory and pools is not given out twice.

import type { RunId } from "../model/ids.ts";
import type { Task } from "../model/task.ts";
import { lastAttempt } from "../record/attempt-record.ts";
import type { Services } from "./services.ts";

/** Pause between two looks at what the others do. */
const LOOK_MS = 200;

/** Pause between two counts of what the others hold. */
const COUNT_MS = 1000;

/** What is counted when there are no others. */
const NOTHING = JSON.stringify([0, 0, {}]);

export class Neighbours {
  readonly #services: Services;
  /** Tasks that wait for another run, and which. */
  readonly #waiting = new Map<number, RunId>();
  #cancel: (() => void) | undefined;
  #countedAt = 0;
  #counted = NOTHING;

  constructor(services: Services) {
    this.#services = services;
  }

  /** Counts what others hold, and goes on counting: another run may begin at any time. */
  begin(): void {
    this.#count();
    this.#lookLater();
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
      if (clock.now() - this.#countedAt >= COUNT_MS) this.#count();
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
    const { claims, clock, layout, files, post } = this.#services;
    this.#countedAt = clock.now();
    const others = new Set(this.#others());
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
    const counted = JSON.stringify([cpusMilli, memoryBytes, pools]);
    if (counted === this.#counted) return;
    this.#counted = counted;
    post({ type: "foreign/changed", cpusMilli, memoryBytes, pools });
  }
}
