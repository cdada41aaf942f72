// Takes away what flow made in Azure, in the order in which nothing starts anew: the job's tasks, the
// job, its pool, what lay in storage. What is there that the ledger does not know is not touched.

import type { Ledger, LedgerEntry } from "./ledger.ts";
import { attemptPrefix } from "./naming.ts";
import type { AttemptKey } from "@flow/core";
import type { BatchPort } from "./service/batch-port.ts";
import { explainError } from "./service/explain.ts";
import type { Retry } from "./service/retry.ts";
import { hasCode } from "./service/service-error.ts";
import type { BlobStore } from "./storage/blob-store.ts";
import { isOwned } from "./translate/pool.ts";

export interface CleanUpParts {
  readonly batch: BatchPort;
  readonly store: BlobStore;
  readonly retry: Retry;
  readonly ledger: Ledger;
  readonly project: string;
}

const GONE = [
  "JobNotFound",
  "PoolNotFound",
  "JobBeingDeleted",
  "PoolBeingDeleted",
  "JobDeletionInProgress",
] as const;

export class CleanUp {
  readonly #parts: CleanUpParts;

  constructor(parts: CleanUpParts) {
    this.#parts = parts;
  }

  /** Removes a job whose tasks are all over, or not wanted any more; its own pool goes with it. */
  async job(id: string): Promise<void> {
    const { batch, retry, ledger, project } = this.#parts;
    const job = await retry.call(() => batch.job(id));
    if (job !== undefined && isOwned(job.metadata, project))
      await gone(retry.call(() => batch.deleteJob(id)));
    ledger.removed("job", id);
  }

  async pool(id: string): Promise<void> {
    const { batch, retry, ledger, project } = this.#parts;
    const pool = await retry.call(() => batch.pool(id));
    if (pool !== undefined && isOwned(pool.metadata, project))
      await gone(retry.call(() => batch.deletePool(id)));
    ledger.removed("pool", id);
  }

  /** Removes what attempts left in storage. */
  async attempts(keys: readonly AttemptKey[]): Promise<void> {
    const { store, retry } = this.#parts;
    if (keys.length === 0) return;
    const wanted = new Set(keys.map(attemptPrefix));
    const prefix = keys.length === 1 ? attemptPrefix(keys[0] as AttemptKey) : "attempts/";
    const blobs = await retry.call(() => store.list(prefix));
    const names = blobs
      .map(({ name }) => name)
      .filter((name) => wanted.has(name.replace(/[^/]+$/, "")));
    if (names.length > 0) await retry.call(() => store.remove(names));
  }

  /** Removes everything on the ledger; returns a sentence for each thing that could not be removed. */
  async everything(): Promise<readonly string[]> {
    const { ledger, store, retry } = this.#parts;
    const problems: string[] = [];
    const order = { job: 0, pool: 1, container: 2 };
    const left = ledger.remaining().toSorted((a, b) => order[a.thing] - order[b.thing]);
    for (const { thing, id } of left) {
      try {
        if (thing === "job") await this.job(id);
        else if (thing === "pool") await this.pool(id);
        else if (id === store.container) {
          await retry.call(() => store.removeContainer());
          ledger.removed("container", id);
        }
      } catch (error) {
        problems.push(`${NAMES[thing]} ${id} could not be removed: ${explainError(error)}`);
      }
    }
    return problems;
  }
}

const NAMES: Readonly<Record<LedgerEntry["thing"], string>> = {
  job: "the job",
  pool: "the pool",
  container: "the container",
};

async function gone(removal: Promise<void>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (!hasCode(error, ...GONE)) throw error;
  }
}
