// Removes targets with `keep: until_used` as soon as every task that uses them is done. Nobody else
// may begin with one of them meanwhile, so the tasks concerned are claimed for the moment it takes;
// when that cannot be had at once, or anything else is unusual, the target stays for a later run.

import { join } from "node:path";
import type { TemporaryTarget } from "../graph/temporary.ts";
import type { FinalState } from "../machine/effect.ts";
import type { TaskKey } from "../model/ids.ts";
import type { Task } from "../model/task.ts";
import type { Services } from "./services.ts";

export class UsedTargets {
  readonly #services: Services;
  readonly #open: () => void;
  /** Tasks that are not done yet, per target that can be removed in this run. */
  readonly #waiting = new Map<TemporaryTarget, Set<number>>();
  readonly #removing = new Set<Promise<void>>();

  /** `open` makes the run's place on disk, once. */
  constructor(services: Services, open: () => void) {
    this.#services = services;
    this.#open = open;
    for (const target of services.request.plan.temporary) {
      const isOurs = target.task !== undefined && target.isComplete && target.users.length > 0;
      if (isOurs) this.#waiting.set(target, new Set(target.users));
    }
  }

  /** A task has come to its end. */
  settled(index: number, { at }: FinalState): void {
    if (at !== "done" && at !== "fresh" && at !== "skipped") return;
    for (const [target, users] of this.#waiting) {
      if (!users.delete(index) || users.size > 0) continue;
      this.#waiting.delete(target);
      const removal = this.#remove(target).catch((error: unknown) => {
        this.#services.warn(`\`${target.path}\` is no longer needed but stays: ${String(error)}`);
      });
      this.#removing.add(removal);
      void removal.then(() => this.#removing.delete(removal));
    }
  }

  /** Resolves when nothing is being removed any more. */
  async idle(): Promise<void> {
    await Promise.all(this.#removing);
  }

  async #remove(target: TemporaryTarget): Promise<void> {
    const { request, files, layout, recorder, flush } = this.#services;
    const path = join(layout.root, target.path);
    if (files.lstat(path) === undefined) return;
    const made = request.traces.get(target.maker.key)?.targets;
    const state = made?.find((each) => each.path === target.path);
    if (state === undefined || !(await request.inspector.isAsMade(state))) return;
    // What has just ended keeps its claim until its result is on record.
    if (!flush()) return;
    this.#open();
    const claimed = this.#claimAll(target);
    if (claimed === undefined) return;
    try {
      request.inspector.temporary.note(target);
      this.#takeAway(path);
    } finally {
      for (const key of claimed) this.#services.claims.release(key);
    }
    const { id: task, template } = this.#task(target.task as number);
    recorder.emit({ type: "target/removed", task, template, path: target.path });
  }

  /** All tasks that make or use it, or none. */
  #claimAll({ task, users }: TemporaryTarget): readonly TaskKey[] | undefined {
    const { claims } = this.#services;
    const claimed: TaskKey[] = [];
    for (const index of [task as number, ...users]) {
      const { key } = this.#task(index);
      if (claims.takeFree(key)) claimed.push(key);
      else {
        for (const one of claimed) claims.release(one);
        return undefined;
      }
    }
    return claimed;
  }

  /** A directory goes in one step too: half of one would look like an edit. */
  #takeAway(path: string): void {
    const { files, layout, request } = this.#services;
    if (files.lstat(path)?.kind !== "directory") {
      files.remove(path);
      return;
    }
    const place = `${layout.run(request.run)}/used`;
    try {
      files.removeTree(place);
      files.rename(path, place);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
      files.rename(path, `${path}.flow-used`);
      files.removeTree(`${path}.flow-used`);
    }
    files.removeTree(place);
  }

  #task(index: number): Task {
    const task = this.#services.tasks[index];
    if (task === undefined) throw new Error(`no task has the index ${index}`);
    return task;
  }
}
