// What flow has made, or was about to make, in Azure: one line before each creation and one after each
// removal, so that a later flow can finish what a crash left. Lines of a crash may be torn; they are
// skipped, because the creation they announce never began.

import { appendFileSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

export type Thing = "job" | "pool" | "container";

export interface LedgerEntry {
  readonly thing: Thing;
  readonly id: string;
}

export class Ledger {
  readonly #path: string;

  /** Made with the first line. */
  constructor(path: string) {
    this.#path = path;
  }

  /** To be called before the creation is asked for; on disk when it returns. */
  announce(thing: Thing, id: string): void {
    this.#append({ thing, id });
  }

  removed(thing: Thing, id: string): void {
    this.#append({ thing, id, gone: true });
  }

  /** What may still be there. */
  remaining(): readonly LedgerEntry[] {
    const left = new Map<string, LedgerEntry>();
    for (const line of readLines(this.#path)) {
      const entry = parse(line);
      if (entry === undefined) continue;
      const { thing, id, gone } = entry;
      if (gone === true) left.delete(`${thing} ${id}`);
      else left.set(`${thing} ${id}`, { thing, id });
    }
    return [...left.values()];
  }

  #append(entry: LedgerEntry & { readonly gone?: true }): void {
    mkdirSync(dirname(this.#path), { recursive: true });
    const file = openSync(this.#path, "a");
    try {
      // A torn line of a crash must not swallow this one.
      appendFileSync(file, `\n${JSON.stringify(entry)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
}

function parse(line: string): (LedgerEntry & { readonly gone?: boolean }) | undefined {
  try {
    const { thing, id, gone } = JSON.parse(line) as Record<string, unknown>;
    const known = thing === "job" || thing === "pool" || thing === "container";
    return known && typeof id === "string" ? { thing, id, gone: gone === true } : undefined;
  } catch {
    return undefined;
  }
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
