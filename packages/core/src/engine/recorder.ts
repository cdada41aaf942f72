// Tells what happens: to the journal first, then to whoever listens. A run that starts nothing
// leaves nothing on disk: records wait in memory until the first claim opens the journal.

import type { Journal } from "../journal/journal.ts";
import type { JournalFact, JournalRecord } from "../journal/record.ts";
import type { Clock } from "../ports/clock.ts";
import type { RunEvent, RunEventBody } from "./run-event.ts";

export type RunListener = (event: RunEvent) => void;

/** What only tells how things are going reaches other terminals after this long at the latest. */
const FLUSH_MS = 100;

export class Recorder {
  readonly #clock: Clock;
  readonly #begin: number;
  readonly #listeners: readonly RunListener[];
  #waiting: JournalRecord[] = [];
  #journal: Journal | undefined;
  #seq = 0;
  #cancelFlush: (() => void) | undefined;

  constructor(clock: Clock, listeners: readonly RunListener[]) {
    this.#clock = clock;
    this.#begin = clock.now();
    this.#listeners = listeners;
  }

  /** From now on records go to this journal, those that waited first. */
  open(journal: Journal, opening: JournalFact): void {
    this.#journal = journal;
    journal.append(opening);
    for (const record of this.#waiting) journal.append(record);
    this.#waiting = [];
  }

  get isOpen(): boolean {
    return this.#journal !== undefined;
  }

  emit(body: RunEventBody): void {
    this.#seq += 1;
    const event: RunEvent = {
      seq: this.#seq,
      wall: this.#clock.wall(),
      elapsedMs: Math.round(this.#clock.now() - this.#begin),
      ...body,
    };
    this.fact(event);
    this.#flushSoon();
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch {
        // A listener that fails has failed for itself; the run goes on unchanged.
      }
    }
  }

  fact(record: JournalRecord): void {
    if (this.#journal === undefined) this.#waiting.push(record);
    else this.#journal.append(record);
  }

  /** Throws what the disk throws; nothing is lost, the next flush tries again. */
  flush(): void {
    this.#journal?.flush();
  }

  #flushSoon(): void {
    if (this.#journal === undefined) return;
    this.#cancelFlush ??= this.#clock.after(FLUSH_MS, () => {
      this.#cancelFlush = undefined;
      try {
        this.flush();
      } catch {
        // The next flush that something depends on says so.
      }
    });
  }

  async close(): Promise<void> {
    this.#cancelFlush?.();
    await this.#journal?.close();
  }
}
