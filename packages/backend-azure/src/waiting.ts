// Why tasks of a job wait: what its pool and its nodes say, asked seldom and never waited for.

import type { Clock } from "@flow/core";
import type { BatchPort, PoolRow, TaskRow } from "./service/batch-port.ts";
import { explain, explainError } from "./service/explain.ts";
import type { Retry } from "./service/retry.ts";

/** Shortest pause between two questions about one job's pool. */
const PAUSE_MS = 30_000;

/** States of a node that will not take a task by itself. */
const BAD: ReadonlySet<string> = new Set(["starttaskfailed", "unusable", "unknown"]);

export class Waiting {
  readonly #batch: BatchPort;
  readonly #retry: Retry;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly at: number; why: string | undefined }>();

  constructor(batch: BatchPort, retry: Retry, clock: Clock) {
    this.#batch = batch;
    this.#retry = retry;
    this.#clock = clock;
  }

  /** What is known, for people. */
  why(job: string): string | undefined {
    return this.#known.get(job)?.why;
  }

  /** Asks again when it is time; the answer is there for the next `why`. */
  look(job: string, rows: ReadonlyMap<string, TaskRow>, signal: AbortSignal): void {
    const known = this.#known.get(job);
    const now = this.#clock.now();
    if (known !== undefined && now - known.at < PAUSE_MS) return;
    const entry = { at: now, why: known?.why };
    this.#known.set(job, entry);
    const pool = [...rows.values()].find((row) => row.pool !== undefined)?.pool;
    void this.#ask(job, pool, signal).then(
      (why) => {
        entry.why = why;
      },
      (error: unknown) => {
        entry.why = explainError(error);
      },
    );
  }

  async #ask(
    job: string,
    pool: string | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const id = pool ?? (await this.#retry.call(() => this.#batch.job(job), signal))?.pool;
    if (id === undefined) return "waits for a pool to be made";
    const row = await this.#retry.call(() => this.#batch.pool(id), signal);
    if (row === undefined) return "waits for a pool to be made";
    const [trouble] = row.errors;
    if (trouble !== undefined) return `no nodes: ${explain(trouble.code, trouble.message)}`;
    const nodes = await this.#retry.call(() => this.#batch.nodes(id), signal);
    const bad = nodes.find(({ state }) => BAD.has(state));
    if (bad?.state === "starttaskfailed")
      return `the node ${bad.id} is of no use: ${explain("StartTaskFailed", `its start command ended with ${bad.startTaskExit ?? "an error"}`)}`;
    if (bad !== undefined)
      return `the node ${bad.id} is ${bad.state}${bad.errors[0] === undefined ? "" : `: ${bad.errors[0].message}`}`;
    return nodesText(row);
  }
}

function nodesText(pool: PoolRow): string | undefined {
  const have = pool.dedicated + pool.lowPriority;
  const want = pool.targetDedicated + pool.targetLowPriority;
  if (have < want) return `waits for nodes: ${have} of ${want} are there`;
  return have === 0 ? "waits for nodes: none are wanted yet" : undefined;
}
