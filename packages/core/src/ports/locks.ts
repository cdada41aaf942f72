// Locks that die with their holder.

/** A held lock. The file stays when it is released; who owns the file removes it. */
export interface HeldLock {
  release(): void;
}

export interface Locks {
  /**
   * Takes the lock of a file, made if missing with `owner` as its content. Undefined when a living
   * process holds it. Never waits.
   */
  take(path: string, owner: string): HeldLock | undefined;
  /** True when a living process holds the lock; false also when there is no such file. */
  isHeld(path: string): boolean;
}
