// Locks between the processes of one test, with a way to let one die.

import type { FileSystem } from "../ports/file-system.ts";
import type { HeldLock, Locks } from "../ports/locks.ts";

/** The locks of one process. Processes that share `held` see each other's. */
export class MemoryLocks implements Locks {
  readonly #fileSystem: FileSystem;
  readonly #held: Set<string>;
  readonly #own = new Set<string>();

  constructor(fileSystem: FileSystem, held: Set<string> = new Set()) {
    this.#fileSystem = fileSystem;
    this.#held = held;
  }

  take(path: string, owner: string): HeldLock | undefined {
    if (this.#held.has(path)) return undefined;
    this.#fileSystem.write(path, owner, { exclusive: true });
    this.#held.add(path);
    this.#own.add(path);
    return { release: () => this.#release(path) };
  }

  isHeld(path: string): boolean {
    return this.#held.has(path);
  }

  /** Everything this process held is free, as when it is killed. */
  die(): void {
    for (const path of this.#own) this.#release(path);
  }

  #release(path: string): void {
    if (this.#own.delete(path)) this.#held.delete(path);
  }
}
