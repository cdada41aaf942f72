// A journal in a file of its own. Only its run writes to it, so there is no lock; a write that the
// disk cuts short is taken back to the last whole line, and tried again at the next flush. What is
// written reaches the disk soon, many records together and beside the run's work, for nothing that a run
// does waits for that.

import * as fs from "node:fs";
import { promisify } from "node:util";
import { writeAll } from "../ports/node/file-system.ts";
import type { Journal } from "./journal.ts";
import { encodeLine, type JournalRecord } from "./record.ts";

const datasync = promisify(fs.fdatasync);

/** How long what was written waits before it is on its way to the disk, in milliseconds. */
const PAUSE_MS = { least: 50, most: 1000 };

/** A disk is left alone this many times as long as it took: while it syncs, whoever makes a file may wait. */
const REST = 20;

export class FileJournal implements Journal {
  readonly #path: string;
  readonly #descriptor: number;
  #number = 0;
  #length = 0;
  #queue: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #syncing: Promise<void> | undefined;
  /** Milliseconds before the next sync. */
  #pauseMs = PAUSE_MS.least;
  /** What the disk said of an earlier write, when nobody waited for it. */
  #trouble: Error | undefined;

  /** Creates the file; throws when it exists. */
  constructor(path: string) {
    this.#path = path;
    this.#descriptor = fs.openSync(path, "ax", 0o600);
  }

  append(record: JournalRecord): void {
    this.#number += 1;
    this.#queue.push(encodeLine(this.#number, record));
  }

  flush(): void {
    const trouble = this.#trouble;
    this.#trouble = undefined;
    if (trouble !== undefined) throw trouble;
    if (this.#queue.length === 0) return;
    const bytes = Buffer.from(this.#queue.join(""));
    try {
      writeAll(this.#descriptor, bytes, this.#path);
    } catch (error) {
      fs.ftruncateSync(this.#descriptor, this.#length);
      throw error;
    }
    this.#length += bytes.length;
    this.#queue = [];
    this.#syncSoon();
  }

  #syncSoon(): void {
    if (this.#syncing !== undefined) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const length = this.#length;
      const from = performance.now();
      this.#syncing = datasync(this.#descriptor)
        .catch((error: Error) => {
          this.#trouble = error;
        })
        .then(() => {
          this.#syncing = undefined;
          const restMs = REST * (performance.now() - from);
          this.#pauseMs = Math.min(Math.max(PAUSE_MS.least, restMs), PAUSE_MS.most);
          if (this.#length > length) this.#syncSoon();
        });
    }, this.#pauseMs).unref();
  }

  async close(): Promise<void> {
    try {
      this.flush();
      clearTimeout(this.#timer);
      await this.#syncing;
      clearTimeout(this.#timer);
      this.flush();
      await datasync(this.#descriptor);
    } finally {
      fs.closeSync(this.#descriptor);
    }
  }
}
