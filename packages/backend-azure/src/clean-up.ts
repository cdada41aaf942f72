// Takes away what flow made in Azure, in the order in which nothing starts anew: the job's tasks, the
// job, its pool, what lay in storage. What neither the ledger knows nor carries the project's own name and
// mark is not touched.

import type { AttemptKey, CleanedUp } from "@flow/core";
import type { Ledger, LedgerEntry, Thing } from "./ledger.ts";
import { attemptPrefix, idPrefix } from "./naming.ts";
import type { BatchPort, JobRow, PoolRow } from "./service/batch-port.ts";
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

  /**
   * Leaves a job: it is removed when all of its tasks are over, and otherwise ends by itself when they
   * are. One that this process has nothing to do with is only removed when the service has ended it.
   */
  async leave(id: string, isOurs: boolean): Promise<void> {
    const { batch, retry } = this.#parts;
    const job = await retry.call(() => batch.job(id));
    if (job === undefined || job.state === "completed") return this.job(id);
    if (!isOurs) return;
    const tasks = await retry.call(() => batch.tasks(id));
    if (tasks.every(({ state }) => state === "completed")) return this.job(id);
    await retry.call(() => batch.endJobWithItsTasks(id));
  }

  /** Jobs that may still be there. */
  jobs(): readonly string[] {
    const left = this.#parts.ledger.remaining();
    return left.flatMap(({ thing, id }) => (thing === "job" ? [id] : []));
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

  /** Removes everything on the ledger but what these runs still use. */
  everything(runs: readonly string[]): Promise<CleanedUp> {
    return this.#removeAll(this.#parts.ledger.remaining(), runs);
  }

  /**
   * The same, and what the ledger does not know because it is lost: all that has this project's name and
   * mark. Rejects with a ServiceError when it cannot be looked for.
   */
  async everythingThere(runs: readonly string[]): Promise<CleanedUp> {
    const known = this.#parts.ledger.remaining();
    const isNew = ({ thing, id }: LedgerEntry): boolean =>
      !known.some((each) => each.thing === thing && each.id === id);
    return this.#removeAll([...known, ...(await this.#there()).filter(isNew)], runs);
  }

  async #there(): Promise<readonly LedgerEntry[]> {
    const { batch, store, retry, project } = this.#parts;
    const prefix = `${idPrefix(project)}-`;
    const isOurs = (row: JobRow | PoolRow): boolean =>
      row.state !== "deleting" && row.id.startsWith(prefix) && isOwned(row.metadata, project);
    const jobs = await retry.call(() => batch.jobs(prefix));
    const pools = await retry.call(() => batch.pools());
    const blobs = await retry.call(() => store.list(""));
    return [
      ...jobs.filter(isOurs).map(({ id }) => ({ thing: "job" as const, id })),
      // The service names the pools that go with their jobs differently.
      ...pools.filter(isOurs).map(({ id }) => ({ thing: "pool" as const, id })),
      ...(blobs.length === 0 ? [] : [{ thing: "container" as const, id: store.container }]),
    ];
  }

  async #removeAll(left: readonly LedgerEntry[], runs: readonly string[]): Promise<CleanedUp> {
    const removed: string[] = [];
    const problems: string[] = [];
    for (const { thing, id } of left.toSorted((a, b) => ORDER[a.thing] - ORDER[b.thing])) {
      // Pools and the container serve all jobs.
      const isUsed =
        thing === "job" ? runs.some((run) => id.includes(`-${run}-`)) : runs.length > 0;
      if (isUsed) continue;
      try {
        await this.#remove(thing, id);
        removed.push(`${thing} ${id}`);
      } catch (error) {
        problems.push(`the ${thing} ${id} could not be removed: ${explainError(error)}`);
      }
    }
    return { removed, problems };
  }

  async #remove(thing: Thing, id: string): Promise<void> {
    const { ledger, store, retry } = this.#parts;
    if (thing === "job") return this.job(id);
    if (thing === "pool") return this.pool(id);
    // Without one of its own the ledger's container is no longer the options'.
    if (id !== store.container) throw new Error(`the options now name ${store.container}`);
    await retry.call(() => store.removeContainer());
    ledger.removed("container", id);
  }
}

const ORDER: Readonly<Record<Thing, number>> = { job: 0, pool: 1, container: 2 };

async function gone(removal: Promise<void>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (!hasCode(error, ...GONE)) throw error;
  }
}
