// Locks between the runs of one test, with a way to let a run die.

import type { FileSystem } from "../ports/file-system.ts";
import type { HeldLock, Locks } from "../ports/locks.ts";

export class MemoryLocks implements Locks {
  readonly #fileSystem: FileSystem;
  readonly #held = new Map<string, string>();

  constructor(fileSystem: FileSystem) {
    this.#fileSystem = fileSystem;
  }

  take(path: string, owner: string): HeldLock | undefined {
    if (this.#held.has(path)) return undefined;
    this.#fileSystem.write(path, owner, { exclusive: true });
    this.#held.set(path, owner);
    return { release: () => this.#held.delete(path) };
  }

  isHeld(path: string): boolean {
    return this.#held.has(path);
  }

  /** Everything this owner held is free, as when its process is killed. */
  die(owner: string): void {
    for (const [path, holder] of this.#held) {
      if (holder === owner) this.#held.delete(path);
    }
  }
}
