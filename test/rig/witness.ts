/**
 * What really ran, as the tasks themselves noted it in a file that flow knows nothing of. Each call of
 * `cmd` notes its beginning, its end, and any earlier process of the same task that it found alive.
 */
import { existsSync, readFileSync } from "node:fs";

export interface Note {
  readonly kind: "begin" | "end" | "overlap";
  readonly task: string;
  readonly attempt: number;
  readonly pid: number;
  /** Microseconds of the machine's monotonic clock, comparable between processes. */
  readonly at: number;
}

export class Witness {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  notes(): readonly Note[] {
    if (!existsSync(this.#path)) return [];
    const lines = readFileSync(this.#path, "utf8").split("\n");
    return lines.filter((line) => line !== "").map((line): Note => JSON.parse(line));
  }

  /** Tasks in the order they began, repeated ones repeated. */
  begun(): readonly string[] {
    return this.notes().flatMap(({ kind, task }) => (kind === "begin" ? [task] : []));
  }

  /** Tasks that began while an earlier process of theirs was alive. Must be none, always. */
  overlaps(): readonly Note[] {
    return this.notes().filter(({ kind }) => kind === "overlap");
  }

  /** The most tasks that were between their beginning and their end at one time. */
  mostAtOnce(isCounted: (task: string) => boolean = () => true): number {
    let running = 0;
    let most = 0;
    for (const { kind, task } of this.notes()) {
      if (!isCounted(task)) continue;
      if (kind === "begin") running += 1;
      if (kind === "end") running -= 1;
      most = Math.max(most, running);
    }
    return most;
  }

  /** Whether every `before` that began had ended when `after` began. */
  isOrdered(before: string, after: string): boolean {
    const notes = this.notes();
    const end = notes.findLastIndex(({ kind, task }) => kind === "end" && task === before);
    const begin = notes.findIndex(({ kind, task }) => kind === "begin" && task === after);
    return end >= 0 && begin > end;
  }
}
