// Other runs that live in the same project: tasks they are at are waited for, files they read or make
// are not replaced meanwhile, and what they hold of the shared cpus, memory and pools is not given out
// twice.

import { compileGlob } from "../graph/glob.ts";
import type { RunId, TaskId, TaskKey } from "../model/ids.ts";
import type { ResourceRequest } from "../model/resources.ts";
import type { Task } from "../model/task.ts";
import { lastAttempt } from "../record/attempt-record.ts";
import { Crosswise } from "./crosswise.ts";
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

/** What another run is at. */
export interface Occupation {
  readonly run: RunId;
  readonly key: TaskKey;
  /** Absent: it is the very task that waits for it. */
  readonly task: TaskId | undefined;
}

export class Neighbours {
  readonly #services: Services;
  /** Tasks that wait for another run, and for what of it. */
  readonly #waiting = new Map<number, Occupation>();
  readonly #crosswise: Crosswise;
  #gaveWay = false;
  /** The others that lived when they were last counted. */
  #others: ReadonlySet<RunId> = new Set();
  #cancel: (() => void) | undefined;
  /** All that were there at the last count, and when it was. */
  #counted: ReadonlySet<RunId> = new Set();
  #countedAt = 0;
  /** As the machine was told. */
  #held = NOTHING;

  constructor(services: Services) {
    this.#services = services;
    this.#crosswise = new Crosswise(services);
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

  /**
   * An attempt of another run that makes or reads what this task makes, or makes what it reads. Runs
   * with other parameters and other flow files can have such; one that has only just begun may be
   * missed, and is found out when the files have changed under an attempt.
   */
  conflictOf(task: Task): Occupation | undefined {
    const { claims, layout, files } = this.#services;
    for (const { task: key, run } of this.#others.size === 0 ? [] : claims.all()) {
      if (!this.#others.has(run) || key === task.key) continue;
      const other = lastAttempt(layout, key, files)?.record?.task;
      if (other !== undefined && collide(task, other)) return { run, key, task: other.id };
    }
    return undefined;
  }

  /** The run that is at this very task. */
  holderOf({ key }: Task): Occupation | undefined {
    const run = this.#others.size === 0 ? undefined : this.#services.claims.holder(key);
    return run === undefined || !this.#others.has(run) ? undefined : { run, key, task: undefined };
  }

  waitFor(index: number, occupation: Occupation): void {
    const task = this.#services.tasks[index] as Task;
    this.#waiting.set(index, occupation);
    this.#services.recorder.emit({
      type: "task/held",
      task: task.id,
      template: task.template,
      by: occupation.run,
      at: occupation.task,
    });
    this.#lookLater();
  }

  close(): void {
    this.#cancel?.();
    this.#waiting.clear();
    this.#crosswise.look([]);
  }

  #lookLater(): void {
    const { clock } = this.#services;
    this.#cancel ??= clock.after(LOOK_MS, () => {
      this.#cancel = undefined;
      this.#look();
      const isDue = clock.now() - this.#countedAt >= COUNT_MS;
      if (isDue || this.#held !== NOTHING || this.#hasNewcomer()) this.#count();
      this.#lookLater();
    });
  }

  #look(): void {
    const { tasks, claims, post, reload, warn, missing } = this.#services;
    // Asking whether a run lives takes a process of its own, and many tasks may wait for one run.
    const living = new Map<RunId, boolean>();
    const isLive = (run: RunId): boolean => {
      const known = living.get(run) ?? claims.isLive(run);
      living.set(run, known);
      return known;
    };
    for (const [index, { run, key }] of this.#waiting) {
      if (claims.holder(key) === run && isLive(run)) continue;
      this.#waiting.delete(index);
      reload((tasks[index] as Task).key);
      post({ type: "task/released", task: index });
    }
    const circle = this.#crosswise.look([...this.#waiting.values()]);
    if (circle === undefined || this.#gaveWay) return;
    this.#gaveWay = true;
    warn(circle);
    missing();
    post({ type: "drain/requested" });
  }

  #hasNewcomer(): boolean {
    const { claims, request } = this.#services;
    return claims.runs().some((run) => run !== request.run && !this.#counted.has(run));
  }

  #count(): void {
    const { claims, clock, post, request } = this.#services;
    this.#countedAt = clock.now();
    const runs = claims.runs();
    this.#counted = new Set(runs);
    this.#others = new Set(runs.filter((run) => run !== request.run && claims.isLive(run)));
    const held = this.#sum(this.#others);
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

/** Whether two tasks cannot run at once because of the files of one that the other reads or makes. */
const collide = (one: Task, other: Task): boolean =>
  one.targets.some(({ path }) => other.targets.some((target) => overlap(path, target.path))) ||
  reads(one, other) ||
  reads(other, one);

/** Whether `reader` depends on a path that `maker` makes. */
const reads = (reader: Task, maker: Task): boolean =>
  reader.deps.some((dep) => {
    const matches =
      dep.kind === "glob"
        ? compileGlob(dep.pattern).matches
        : (path: string): boolean => overlap(dep.path, path);
    return maker.targets.some(({ path }) => matches(path));
  });

/** Whether two paths are the same, or one lies in the other. */
const overlap = (one: string, other: string): boolean =>
  one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
