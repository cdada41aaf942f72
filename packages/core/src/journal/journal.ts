// Where a run writes down what it claims and what it learns, before it acts on it.

import type { JournalRecord } from "./record.ts";

export interface Journal {
  /** Adds a record; it reaches the file at the next `flush` at the latest. */
  append(record: JournalRecord): void;
  /**
   * Hands everything to the kernel: it survives the death of this process. Throws when the disk
   * refuses; what was not written stays queued and is written by the next call.
   */
  flush(): void;
  /** Flushes; resolves when everything would survive a power cut. */
  close(): Promise<void>;
}
