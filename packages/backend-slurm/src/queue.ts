// What the scheduler lists, asked for all jobs at once and no more often than its answer can have
// changed; and the requests to end jobs, gathered so that a hundred of them are one command.

import type { Clock } from "@flow/core";
import type { Row, Scheduler } from "./schedulers/scheduler.ts";
import { complaint, type Transport } from "./transport/transport.ts";

/** An answer younger than this serves for the next question too. */
const FRESH_MS = 200;

/** Cancel requests that come within this time go together. */
const GATHER_MS = 30;

/** Most jobs named in one command. */
const MOST_IDS = 1000;

/** The jobs of this user. */
export interface Rows {
  member(name: string, index: number): Row | undefined;
  byId(id: string): Row | undefined;
  /** Jobs of a submission that have not ended. */
  living(name: string): readonly Row[];
}

/** A text when the scheduler did not answer. */
export type Listing = Rows | string;

export class Queue {
  readonly #scheduler: Scheduler;
  readonly #transport: Transport;
  readonly #clock: Clock;
  #listing: { readonly at: number; readonly listing: Promise<Listing> } | undefined;
  readonly #waiting = new Map<"graceful" | "forced", Set<string>>();
  #sent: Promise<string | undefined> | undefined;

  constructor(scheduler: Scheduler, transport: Transport, clock: Clock) {
    this.#scheduler = scheduler;
    this.#transport = transport;
    this.#clock = clock;
  }

  list(): Promise<Listing> {
    const now = this.#clock.now();
    if (this.#listing === undefined || now - this.#listing.at >= FRESH_MS)
      this.#listing = { at: now, listing: this.#ask() };
    return this.#listing.listing;
  }

  /** Makes the next {@link list} ask, because something was changed. */
  invalidate(): void {
    this.#listing = undefined;
  }

  /** What the scheduler remembers of submissions it no longer lists; empty when it has no memory. */
  async history(names: readonly string[]): Promise<readonly Row[]> {
    const { argv, input } = this.#scheduler.history(names);
    return this.#scheduler.parseHistory(await this.#transport.run(argv, input));
  }

  /** Ends a job. Resolves with a sentence when the scheduler could not be told. */
  cancel(id: string, how: "graceful" | "forced"): Promise<string | undefined> {
    const ids = this.#waiting.get(how) ?? new Set();
    this.#waiting.set(how, ids.add(id));
    this.#sent ??= this.#clock.sleep(GATHER_MS).then(() => {
      this.#sent = undefined;
      return this.#send();
    });
    return this.#sent;
  }

  async #send(): Promise<string | undefined> {
    const batches = [...this.#waiting].flatMap(([how, ids]) =>
      pieces([...ids], MOST_IDS).flatMap((piece) => this.#scheduler.cancel(piece, how)),
    );
    this.#waiting.clear();
    let trouble: string | undefined;
    for (const { argv, input } of batches) {
      const result = await this.#transport.run(argv, input);
      if (result.code === undefined || /contact|timed out/i.test(result.stderr))
        trouble = complaint(result);
    }
    this.invalidate();
    return trouble;
  }

  async #ask(): Promise<Listing> {
    const { argv, input } = this.#scheduler.list();
    const result = await this.#transport.run(argv, input);
    const rows = this.#scheduler.parseList(result);
    if (rows === undefined) return complaint(result);
    const members = new Map(rows.map((row) => [`${row.name} ${row.index}`, row]));
    const ids = new Map(rows.map((row) => [row.id, row]));
    return {
      member: (name, index) => members.get(`${name} ${index}`),
      byId: (id) => ids.get(id),
      living: (name) => rows.filter((row) => row.name === name && row.phase !== "ended"),
    };
  }
}

export function pieces<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const found: (readonly T[])[] = [];
  for (let start = 0; start < items.length; start += size)
    found.push(items.slice(start, start + size));
  return found;
}
