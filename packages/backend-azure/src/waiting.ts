// Why tasks of a job wait: what its pool and its nodes say, asked seldom and never waited for.

import type { Clock } from "@flow/core";
import type { BatchPort, NodeRow, PoolRow, TaskRow } from "./service/batch-port.ts";
import { explain, explainError } from "./service/explain.ts";
import type { Retry } from "./service/retry.ts";

/** Shortest pause between two questions about one job's pool. */
const PAUSE_MS = 30_000;

/** States of a job that starts no task any more. */
const OVER: ReadonlySet<string> = new Set(["terminating", "completed", "deleting"]);

/** States of a node that will not take a task by itself. */
const BAD: ReadonlySet<string> = new Set(["starttaskfailed", "unusable", "unknown"]);

/** Why a job's tasks wait. */
export interface Reason {
  readonly why: string;
  /** They will not start unless a person does something about it. */
  readonly stuck: boolean;
}

export class Waiting {
  readonly #batch: BatchPort;
  readonly #retry: Retry;
  readonly #clock: Clock;
  readonly #over = new Set<string>();
  readonly #known = new Map<string, { readonly at: number; reason: Reason | undefined }>();

  constructor(batch: BatchPort, retry: Retry, clock: Clock) {
    this.#batch = batch;
    this.#retry = retry;
    this.#clock = clock;
  }

  /** What is known, for people. */
  reason(job: string): Reason | undefined {
    return this.#known.get(job)?.reason;
  }

  /** Whether the job has ended, so that what waits in it will never begin. */
  isOver(job: string): boolean {
    return this.#over.has(job);
  }

  /** Asks again when it is time; the answer is there for the next `reason`. */
  look(job: string, rows: ReadonlyMap<string, TaskRow>, signal: AbortSignal): void {
    const known = this.#known.get(job);
    const now = this.#clock.now();
    if (known !== undefined && now - known.at < PAUSE_MS) return;
    const entry = { at: now, reason: known?.reason };
    this.#known.set(job, entry);
    const pool = [...rows.values()].find((row) => row.pool !== undefined)?.pool;
    void this.#ask(job, pool, signal).then(
      (reason) => {
        entry.reason = reason;
      },
      (error: unknown) => {
        entry.reason = passing(explainError(error));
      },
    );
  }

  async #ask(
    job: string,
    pool: string | undefined,
    signal: AbortSignal,
  ): Promise<Reason | undefined> {
    const found = await this.#retry.call(() => this.#batch.job(job), signal);
    if (found === undefined || OVER.has(found.state)) this.#over.add(job);
    const id = pool ?? found?.pool;
    if (id === undefined) return passing("waits for a pool to be made");
    const row = await this.#retry.call(() => this.#batch.pool(id), signal);
    if (row === undefined) return passing("waits for a pool to be made");
    const [trouble] = row.errors;
    if (trouble !== undefined)
      return { why: `no nodes: ${explain(trouble.code, trouble.message)}`, stuck: true };
    const nodes = await this.#retry.call(() => this.#batch.nodes(id), signal);
    const isGood = nodes.some(({ state }) => state === "idle" || state === "running");
    const bad = nodes.find(({ state }) => BAD.has(state));
    if (bad !== undefined) return { why: badNode(bad), stuck: !isGood };
    return nodesText(row);
  }
}

const passing = (why: string): Reason => ({ why, stuck: false });

function badNode({ id, state, startTaskExit, errors }: NodeRow): string {
  if (state === "starttaskfailed") {
    const said = `its start command ended with ${startTaskExit ?? "an error"}`;
    return `the node ${id} is of no use: ${explain("StartTaskFailed", said)}`;
  }
  const [error] = errors;
  return `the node ${id} is ${state}${error === undefined ? "" : `: ${error.message}`}`;
}

function nodesText(pool: PoolRow): Reason | undefined {
  const have = pool.dedicated + pool.lowPriority;
  const want = pool.targetDedicated + pool.targetLowPriority;
  if (have < want) return passing(`waits for nodes: ${have} of ${want} are there`);
  return have === 0 ? passing("waits for nodes: none are wanted yet") : undefined;
}
