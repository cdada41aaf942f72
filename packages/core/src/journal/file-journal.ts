// A journal in a file of its own. Only its run writes to it, so there is no lock; a write that the
// disk cuts short is taken back to the last whole line, and tried again at the next flush.

import * as fs from "node:fs";
import { promisify } from "node:util";
import { writeAll } from "../ports/node/file-system.ts";
import type { Journal } from "./journal.ts";
import { encodeLine, type JournalRecord } from "./record.ts";

const datasync = promisify(fs.fdatasync);

export class FileJournal implements Journal {
  readonly #path: string;
  readonly #descriptor: number;
  #number = 0;
  #length = 0;
  #queue: string[] = [];

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
  }

  async close(): Promise<void> {
    try {
      this.flush();
      await datasync(this.#descriptor);
    } finally {
      fs.closeSync(this.#descriptor);
    }
  }
}
