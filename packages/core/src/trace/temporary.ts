// Targets that were removed once everything that uses them was done (`keep: until_used`): while
// nothing needs them again, they count as if they were there. A note in the record of the attempt
// that made a target tells such a removal from one by somebody else; it is written before the
// target goes, and means nothing while the target is there.

import { type Layout, layout as layoutOf } from "../engine/layout.ts";
import { isWithin } from "../graph/paths.ts";
import type { TemporaryTarget } from "../graph/temporary.ts";
import { attemptKey, type TaskKey } from "../model/ids.ts";
import type { FileSystem } from "../ports/file-system.ts";
import type { TraceStore } from "./store.ts";
import type { Reason } from "./trace.ts";

/** Digest of a removed target for a task that never saw it. */
export const unseen = "removed after use";

/** What an inspector knows of the temporary targets of its plan. */
export class TemporaryTargets {
  readonly #targets: readonly TemporaryTarget[];
  readonly #traces: Pick<TraceStore, "get">;
  readonly #layout: Layout;
  readonly #files: FileSystem;
  readonly #demanded = new Map<TaskKey, readonly Reason[]>();

  constructor(
    targets: readonly TemporaryTarget[],
    traces: Pick<TraceStore, "get">,
    root: string,
    files: FileSystem,
  ) {
    this.#targets = targets;
    this.#traces = traces;
    this.#layout = layoutOf(root);
    this.#files = files;
  }

  /** Those that are gone because they were used up, as things are now. */
  usedUp(): readonly TemporaryTarget[] {
    return this.#targets.filter((target) => this.#isUsedUp(target));
  }

  /** Whether a dep on this path, where nothing lies, was there and was used up. */
  covers(path: string): boolean {
    return this.#targets.some((target) => isWithin(path, target.path) && this.#isUsedUp(target));
  }

  /** A used up target that a task of the plan uses; undefined: none. */
  lackedBy(index: number): TemporaryTarget | undefined {
    return this.#targets.find((target) => target.users.includes(index) && this.#isUsedUp(target));
  }

  /** Notes that a target is about to be removed; throws what the disk throws. */
  note({ path, maker }: TemporaryTarget): void {
    const file = this.#noteOf(maker.key);
    if (file === undefined) return;
    const paths = new Set([...this.#read(file), path]);
    this.#files.replace(file, `${JSON.stringify([...paths])}\n`);
  }

  /** A task has to make used up targets again, for these reasons. */
  demand(task: TaskKey, reasons: readonly Reason[]): void {
    this.#demanded.set(task, reasons);
  }

  demandedOf(task: TaskKey): readonly Reason[] {
    return this.#demanded.get(task) ?? [];
  }

  #isUsedUp({ path, maker }: TemporaryTarget): boolean {
    if (this.#files.lstat(`${this.#layout.root}/${path}`) !== undefined) return false;
    const file = this.#noteOf(maker.key);
    return file !== undefined && this.#read(file).includes(path);
  }

  /** In the record of the attempt that made the task's targets; undefined when none has. */
  #noteOf(task: TaskKey): string | undefined {
    const trace = this.#traces.get(task);
    if (trace === undefined) return undefined;
    return `${this.#layout.attempt(attemptKey(task, trace.serial))}/used.json`;
  }

  #read(file: string): readonly string[] {
    const bytes = this.#files.read(file);
    if (bytes === undefined) return [];
    try {
      return JSON.parse(new TextDecoder().decode(bytes)) as readonly string[];
    } catch {
      return [];
    }
  }
}
