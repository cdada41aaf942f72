// What the broker must know after a crash: which leases it gave. Lines are appended before a grant is
// answered; they need no sync, because they outlive the broker in the page cache and the jobs do not
// outlive the machine.

import { closeSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from "node:fs";
import type { Ask } from "../policy/allocator.ts";
import type { Lease } from "../policy/model.ts";
import type { Holder } from "./processes.ts";

export interface JournalledLease {
  readonly lease: Lease;
  readonly ask: Ask;
  readonly secret: string;
  /** The process that uses the GPU itself, where that is one: it carries no mark. */
  readonly holder?: Holder | undefined;
}

interface Line {
  readonly boot: string;
  readonly granted?: JournalledLease;
  readonly closed?: string;
}

export class LeaseJournal {
  readonly #path: string;
  readonly #boot: string;
  /** Of the file, which stays open: every grant waits for its line. */
  #descriptor: number | undefined;
  #lines = 0;

  /** `boot` names this start of the machine; leases of another one are gone. */
  constructor(path: string, boot: string) {
    this.#path = path;
    this.#boot = boot;
  }

  /** Leases that were open when the last broker ended. Rewrites the file with them alone. */
  open(): readonly JournalledLease[] {
    const open = new Map<string, JournalledLease>();
    for (const line of readLines(this.#path)) {
      if (line.boot !== this.#boot) continue;
      if (line.granted !== undefined) open.set(line.granted.lease.id, line.granted);
      if (line.closed !== undefined) open.delete(line.closed);
    }
    this.#rewrite([...open.values()]);
    return [...open.values()];
  }

  granted(entry: JournalledLease): void {
    this.#append({ boot: this.#boot, granted: entry });
  }

  closed(lease: string, open: () => readonly JournalledLease[]): void {
    this.#append({ boot: this.#boot, closed: lease });
    if (this.#lines > 5000) this.#rewrite(open());
  }

  /** Gives the file back; the next line opens it again. */
  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #append(line: Line): void {
    this.#descriptor ??= openSync(this.#path, "a", 0o600);
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    for (let from = 0; from < bytes.length; ) from += writeSync(this.#descriptor, bytes, from);
    this.#lines++;
  }

  #rewrite(entries: readonly JournalledLease[]): void {
    const lines = entries.map((granted) => JSON.stringify({ boot: this.#boot, granted }));
    writeFileSync(`${this.#path}.new`, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
    renameSync(`${this.#path}.new`, this.#path);
    this.close();
    this.#lines = lines.length;
  }
}

/** A line torn by a crash is left out. */
function readLines(path: string): readonly Line[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return [];
  }
  return text.split("\n").flatMap((line) => {
    try {
      return line === "" ? [] : [JSON.parse(line) as Line];
    } catch {
      return [];
    }
  });
}
