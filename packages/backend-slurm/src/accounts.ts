// What ended attempts have used, as the cluster's accounting tells it: some time after their end, many in
// one question, and written beside their results. No result waits for it, only the end of the command,
// for some seconds. Where nobody answers three times in a row it is not asked again.

import { renameSync, writeFileSync } from "node:fs";
import { type Accounting, ATTEMPT_FILES, type Clock } from "@flow/core";
import type { Membership } from "./attempt/files.ts";
import { pieces } from "./queue.ts";
import type { Scheduler } from "./schedulers/scheduler.ts";
import type { Transport } from "./transport/transport.ts";

/** From the first end to the question; the database lags behind, and flows must not ask in step. */
const GATHER_MS = 3000;
const JITTER_MS = 2000;

/** At the end of a run, for what the database did not know a moment ago. */
const LAST_WAIT_MS = 1500;

/** Questions about one attempt before it counts as not accounted for. */
const MOST_TRIES = 3;

/** Most submissions named in one command. */
const MOST_NAMES = 500;

export interface AccountsOptions {
  readonly scheduler: Scheduler;
  readonly transport: Transport;
  readonly clock: Clock;
}

interface Open {
  readonly attempt: string;
  readonly name: string;
  readonly index: number;
  readonly tries: number;
}

export class Accounts {
  readonly #options: AccountsOptions;
  #open: readonly Open[] = [];
  #cancel: (() => void) | undefined;
  #asking: Promise<void> = Promise.resolve();
  /** Questions in a row that were not answered. */
  #unanswered = 0;
  /** There is no accounting. */
  #isOff = false;
  #isSettling = false;

  constructor(options: AccountsOptions) {
    this.#options = options;
  }

  /** Notes the end of an attempt whose directory this is. A pilot is not the attempt's own job. */
  add(attempt: string, { name, index, pilot }: Membership): void {
    if (this.#isOff || pilot) return;
    this.#open = [...this.#open, { attempt, name, index, tries: 0 }];
    this.#later();
  }

  /** Asks for the rest, twice if need be, and never again. */
  async settle(): Promise<void> {
    this.#isSettling = true;
    this.#cancel?.();
    await this.#ask();
    if (this.#open.length === 0) return;
    await this.#options.clock.sleep(LAST_WAIT_MS);
    await this.#ask();
  }

  #later(): void {
    if (this.#isSettling) return;
    this.#cancel ??= this.#options.clock.after(GATHER_MS + Math.random() * JITTER_MS, () => {
      void this.#ask();
    });
  }

  #ask(): Promise<void> {
    this.#cancel = undefined;
    this.#asking = this.#asking.then(() => this.#askNow());
    return this.#asking;
  }

  async #askNow(): Promise<void> {
    const open = this.#open;
    this.#open = [];
    const left: Open[] = [];
    for (const names of pieces([...new Set(open.map(({ name }) => name))], MOST_NAMES)) {
      const known = this.#isOff ? undefined : await this.#usageOf(names);
      this.#unanswered = known === undefined ? this.#unanswered + 1 : 0;
      // A database that is away may come back, but the end of a run does not wait for that.
      this.#isOff ||= this.#unanswered >= (this.#isSettling ? 1 : MOST_TRIES);
      for (const each of open.filter(({ name }) => names.includes(name))) {
        const usage = known?.get(`${each.name} ${each.index}`);
        if (usage !== undefined) write(each.attempt, usage);
        else if (each.tries + 1 < MOST_TRIES) left.push({ ...each, tries: each.tries + 1 });
      }
    }
    if (this.#isOff) return;
    this.#open = [...left, ...this.#open];
    if (left.length > 0) this.#later();
  }

  async #usageOf(names: readonly string[]): Promise<ReadonlyMap<string, Accounting> | undefined> {
    const { scheduler, transport } = this.#options;
    const { argv, input } = scheduler.usage(names);
    const jobs = scheduler.parseUsage(await transport.run(argv, input));
    return jobs && new Map(jobs.map(({ name, index, usage }) => [`${name} ${index}`, usage]));
  }
}

function write(attempt: string, usage: Accounting): void {
  const path = `${attempt}/${ATTEMPT_FILES.accounting}`;
  try {
    writeFileSync(`${path}.${process.pid}`, `${JSON.stringify(usage)}\n`, { mode: 0o600 });
    renameSync(`${path}.${process.pid}`, path);
  } catch {
    // The attempt's records were removed meanwhile, or the disk is full: nothing depends on it.
  }
}
