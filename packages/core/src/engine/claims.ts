// One live attempt per task: a claim is a symbolic link whose text names the run that works on the
// task. Making a link is atomic and exclusive, so two runs can never both believe they have it; a
// claim whose run is dead is taken over by renaming our own link over it.

import type { RunId, TaskKey } from "../model/ids.ts";
import type { FileSystem } from "../ports/file-system.ts";
import type { Locks } from "../ports/locks.ts";
import { type Layout, runOfLock, taskOfClaim } from "./layout.ts";

export class Claims {
  readonly #run: RunId;
  readonly #layout: Layout;
  readonly #fileSystem: FileSystem;
  readonly #locks: Locks;
  /** Links that hold this run's name. */
  readonly #held = new Set<string>();

  constructor(run: RunId, layout: Layout, fileSystem: FileSystem, locks: Locks) {
    this.#run = run;
    this.#layout = layout;
    this.#fileSystem = fileSystem;
    this.#locks = locks;
  }

  /** `taken`; `orphan` when we now hold what a dead run held; else the living run that has it. */
  take(task: TaskKey): "taken" | "orphan" | { readonly heldBy: RunId } {
    const path = this.#layout.claim(task);
    for (;;) {
      if (this.#link(path)) return "taken";
      const holder = this.holder(task);
      if (holder === undefined) continue;
      if (holder === this.#run) return "taken";
      if (this.isLive(holder)) return { heldBy: holder };
      if (this.#takeOver(task, holder)) return "orphan";
    }
  }

  /** Takes a task that nobody holds, not even this run; false when somebody does. */
  takeFree(task: TaskKey): boolean {
    return this.#link(this.#layout.claim(task));
  }

  release(task: TaskKey): void {
    const path = this.#layout.claim(task);
    this.#held.delete(path);
    this.#fileSystem.remove(path);
  }

  /** The run that holds the task; undefined when none does. */
  holder(task: TaskKey): RunId | undefined {
    return this.#fileSystem.readLink(this.#layout.claim(task)) as RunId | undefined;
  }

  isLive(run: RunId): boolean {
    return run === this.#run || this.#locks.isHeld(this.#layout.runLock(run));
  }

  /** Every claim on record with its run. */
  all(): readonly { readonly task: TaskKey; readonly run: RunId }[] {
    const entries = this.#fileSystem.list(this.#layout.locks) ?? [];
    return entries.flatMap(({ name }) => {
      const task = taskOfClaim(name);
      const run = task === undefined ? undefined : this.holder(task);
      return task === undefined || run === undefined ? [] : [{ task, run }];
    });
  }

  /** Runs whose lock file is still there: living ones, and dead ones that nobody has folded. */
  runs(): readonly RunId[] {
    const entries = this.#fileSystem.list(this.#layout.locks) ?? [];
    return entries.flatMap(({ name }) => runOfLock(name) ?? []);
  }

  /** The runs among them that go on. */
  living(): readonly RunId[] {
    return this.runs().filter((run) => this.isLive(run));
  }

  #link(path: string): boolean {
    const [like] = this.#held;
    if (!this.#fileSystem.link(path, this.#run, like)) return false;
    this.#held.add(path);
    return true;
  }

  /**
   * Renames our link over the dead run's. Two runs may try at once: a lock on the dead run's file
   * decides which of them may.
   */
  #takeOver(task: TaskKey, dead: RunId): boolean {
    const lock = this.#locks.take(this.#layout.runLock(dead), this.#run);
    if (lock === undefined) return false;
    try {
      if (this.holder(task) !== dead) return false;
      const temporary = `${this.#layout.claim(task)}.${this.#run}`;
      this.#fileSystem.remove(temporary);
      this.#fileSystem.link(temporary, this.#run);
      this.#fileSystem.rename(temporary, this.#layout.claim(task));
      return true;
    } finally {
      lock.release();
    }
  }
}
