// One lane per backend: its calls pass through a p-queue, so that a cluster's login node or a cloud's
// API never gets more at once than it can bear. Jobs that become ready together are submitted together.

import PQueue from "p-queue";
import type { Backend, BackendFailure, Handle, Job, Observation } from "../backend/backend.ts";
import type { AttemptKey } from "../model/ids.ts";
import type { StopReason } from "../model/outcome.ts";
import type { Result } from "../model/result.ts";
import type { Clock } from "../ports/clock.ts";
import { Watcher } from "./watcher.ts";

/** Calls at once to a backend of this machine, and to one far away. */
const LOCAL_CALLS = 32;
const REMOTE_CALLS = 4;

/**
 * Far away, jobs that become ready one after another are worth waiting for: they are submitted
 * together once none has come for the shorter time, or when the longer one has passed.
 */
const GATHER_MS = 50;
const GATHER_MOST_MS = 1000;

/** What a lane reports. */
export interface LaneListener {
  submitted(key: AttemptKey, handle: Handle): void;
  refused(key: AttemptKey, failure: BackendFailure): void;
  observed(key: AttemptKey, observation: Observation): void;
  /** A stop request did not get through; it may be repeated. */
  stopFailed(key: AttemptKey, failure: BackendFailure): void;
}

export class Lane {
  readonly backend: Backend;
  readonly #queue: PQueue;
  readonly #watcher: Watcher;
  readonly #listener: LaneListener;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  /** Stops asked for before the submit's answer came. */
  readonly #pendingStops = new Map<AttemptKey, readonly ["graceful" | "forced", StopReason]>();
  #batch: Job[] = [];
  /** Jobs of the batch that the running timer knows of. */
  #gathered = 0;
  #gatheredSince: number | undefined;
  #cancelGather: (() => void) | undefined;

  constructor(backend: Backend, clock: Clock, listener: LaneListener) {
    this.backend = backend;
    this.#clock = clock;
    this.#listener = listener;
    const concurrency = backend.capabilities.local ? LOCAL_CALLS : REMOTE_CALLS;
    this.#queue = new PQueue({ concurrency });
    this.#watcher = new Watcher(backend, this.#queue, clock, (key, observation) =>
      listener.observed(key, observation),
    );
  }

  /** Collects a job for the next `send`. */
  add(job: Job): void {
    this.#batch.push(job);
  }

  /** Submits what was collected, or soon will be, in pieces the backend takes. */
  send(): void {
    const { local, maxBatch } = this.backend.capabilities;
    if (local || maxBatch <= 1) this.#sendNow();
    else if (this.#batch.length > this.#gathered) this.#gather();
  }

  #gather(): void {
    const now = this.#clock.now();
    this.#gathered = this.#batch.length;
    this.#gatheredSince ??= now;
    this.#cancelGather?.();
    const left = Math.max(0, this.#gatheredSince + GATHER_MOST_MS - now);
    this.#cancelGather = this.#clock.after(Math.min(GATHER_MS, left), () => this.#sendNow());
  }

  #sendNow(): void {
    this.#gathered = 0;
    this.#gatheredSince = undefined;
    this.#cancelGather = undefined;
    const jobs = this.#batch;
    if (jobs.length === 0) return;
    this.#batch = [];
    const size = Math.max(1, this.backend.capabilities.maxBatch);
    for (let start = 0; start < jobs.length; start += size) {
      const piece = jobs.slice(start, start + size);
      void this.#queue.add(() => this.#submit(piece));
    }
  }

  /**
   * Submits a job whose earlier submit got no clear answer. Where a repeated key would run twice,
   * the backend is searched for it first.
   */
  sendAgain(job: Job): void {
    void this.#queue.add(async () => {
      const { idempotentSubmit, visibilityDelayMs, reattach } = this.backend.capabilities;
      if (!idempotentSubmit && reattach) {
        await this.#clock.sleep(visibilityDelayMs, this.#abort.signal).catch(() => {});
        const request = { key: job.key, attempt: job.paths.attempt, handle: undefined };
        const found = await this.backend.reattach([request], this.#abort.signal);
        if (!found.ok) return this.#listener.refused(job.key, found.error);
        const handle = found.value.get(job.key);
        if (handle !== undefined) return this.#accepted(job.key, handle);
      }
      await this.#submit([job]);
    });
  }

  /** Watches an attempt that exists already. */
  attach(key: AttemptKey, handle: Handle): void {
    this.#watcher.watch(key, handle);
  }

  stop(key: AttemptKey, how: "graceful" | "forced", reason: StopReason): void {
    const handle = this.#watcher.handle(key);
    if (handle === undefined) {
      this.#pendingStops.set(key, [how, reason]);
      return;
    }
    void this.#queue.add(
      async () => {
        const result = await this.backend.cancel(handle, how, reason, this.#abort.signal);
        if (!result.ok) this.#listener.stopFailed(key, result.error);
      },
      { priority: 1 },
    );
  }

  /** Resolves when no call is under way. */
  idle(): Promise<void> {
    return this.#queue.onIdle();
  }

  /** Stops asking and submitting; attempts go on running. */
  close(): void {
    this.#abort.abort();
    this.#cancelGather?.();
    this.#watcher.close();
    this.#queue.clear();
  }

  async #submit(jobs: readonly Job[]): Promise<void> {
    const answers = await this.#answers(jobs);
    for (const { key } of jobs) {
      const answer = answers.get(key);
      if (answer?.ok === true) this.#accepted(key, answer.value);
      else this.#listener.refused(key, answer?.error ?? NO_ANSWER);
    }
  }

  /** A backend that throws has a bug; its jobs are refused with what it said, never forgotten. */
  async #answers(
    jobs: readonly Job[],
  ): Promise<ReadonlyMap<AttemptKey, Result<Handle, BackendFailure>>> {
    try {
      return await this.backend.submit(jobs, this.#abort.signal);
    } catch (error) {
      const message = `backend \`${this.backend.name}\` broke while submitting: ${String(error)}`;
      const failure: BackendFailure = { type: "misconfigured", message };
      return new Map(jobs.map(({ key }) => [key, { ok: false, error: failure }]));
    }
  }

  #accepted(key: AttemptKey, handle: Handle): void {
    this.#listener.submitted(key, handle);
    this.#watcher.watch(key, handle);
    const stop = this.#pendingStops.get(key);
    if (stop === undefined) return;
    this.#pendingStops.delete(key);
    this.stop(key, ...stop);
  }
}

const NO_ANSWER: BackendFailure = {
  type: "unavailable",
  message: "the backend gave no answer for this job",
  retryAfterMs: undefined,
};
