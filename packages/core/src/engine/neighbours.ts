// Other runs that live in the same project: tasks they are at are waited for, and what they hold of
// the shared cpus, memory and pools is not given out twice.

import type { RunId } from "../model/ids.ts";
import { lastAttempt } from "../record/attempt-record.ts";
import type { Task } from "../model/task.ts";
import type { Services } from "./services.ts";

/** Pause between two looks at what the others do. */
const LOOK_MS = 200;

/** Looks between two counts of what the others hold. */
const COUNT_EVERY = 5;

export class Neighbours {
  readonly #services: Services;
  /** Tasks that wait for another run, and which. */
  readonly #waiting = new Map<number, RunId>();
  #cancel: (() => void) | undefined;
  #looks = 0;
  #counted = "";

  constructor(services: Services) {
    this.#services = services;
  }

  /** Counts what others hold, and goes on counting while there are any. */
  begin(): void {
    if (this.#others().length === 0) return;
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
    this.#cancel ??= this.#services.clock.after(LOOK_MS, () => {
      this.#cancel = undefined;
      this.#looks += 1;
      this.#look();
      if (this.#looks % COUNT_EVERY === 0) this.#count();
      if (this.#waiting.size > 0 || this.#others().length > 0) this.#lookLater();
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
    const { claims, layout, files, post } = this.#services;
    const others = new Set(this.#others());
    let cpusMilli = 0;
    let memoryBytes = 0;
    const pools: Record<string, number> = {};
    for (const { task, run } of claims.all()) {
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
