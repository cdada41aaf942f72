// One lane per backend: its calls pass through a p-queue, so that a cluster's login node or a cloud's
// API never gets more at once than it can bear. Jobs that become ready together are submitted together.

import PQueue from "p-queue";
import type { Backend, BackendFailure, Handle, Job, Observation } from "../backend/backend.ts";
import type { AttemptKey } from "../model/ids.ts";
import type { StopReason } from "../model/outcome.ts";
import { err, ok, type Result } from "../model/result.ts";
import type { Clock } from "../ports/clock.ts";
import { troubleOf } from "../ports/system-error.ts";
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
  /** Unless it is `unavailable`, the attempt does not exist. */
  refused(key: AttemptKey, failure: BackendFailure): void;
  /** The attempt was never started and never will be, although nobody refused it. */
  voided(key: AttemptKey): void;
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
  /** Resolves when the jobs' claims and records would survive a loss of power. */
  readonly #secure: (jobs: readonly Job[]) => Promise<void>;
  readonly #abort = new AbortController();
  /** Stops asked for before the submit's answer came. */
  readonly #pendingStops = new Map<AttemptKey, readonly ["graceful" | "forced", StopReason]>();
  /** Jobs whose submit got no clear answer: they may exist all the same. */
  readonly #unclear = new Map<AttemptKey, Job>();
  #batch: Job[] = [];
  /** Jobs of the batch that the running timer knows of. */
  #gathered = 0;
  #gatheredSince: number | undefined;
  #cancelGather: (() => void) | undefined;

  constructor(
    backend: Backend,
    clock: Clock,
    listener: LaneListener,
    secure: (jobs: readonly Job[]) => Promise<void>,
  ) {
    this.backend = backend;
    this.#clock = clock;
    this.#listener = listener;
    this.#secure = secure;
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
   * the backend is searched for it instead.
   */
  sendAgain(job: Job): void {
    const { idempotentSubmit, reattach } = this.backend.capabilities;
    const search = reattach && !idempotentSubmit;
    void this.#queue.add(() => (search ? this.#search(job) : this.#submit([job])));
  }

  /** Watches an attempt that exists already. */
  attach(key: AttemptKey, handle: Handle): void {
    this.#watcher.watch(key, handle);
  }

  stop(key: AttemptKey, how: "graceful" | "forced", reason: StopReason): void {
    const handle = this.#watcher.handle(key);
    if (handle === undefined) {
      this.#pendingStops.set(key, [how, reason]);
      const job = this.#unclear.get(key);
      if (job !== undefined) void this.#queue.add(() => this.#search(job));
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
    for (const job of jobs) {
      const answer = answers.get(job.key);
      if (answer?.ok === true) this.#accepted(job.key, answer.value);
      else await this.#refused(job, answer?.error ?? NO_ANSWER);
    }
  }

  /** A refusal for good is only believed when no earlier submit of the job can have had an effect. */
  async #refused(job: Job, failure: BackendFailure): Promise<void> {
    const { key } = job;
    if (failure.type !== "unavailable" && this.#unclear.has(key)) await this.#search(job, failure);
    else if (failure.type !== "unavailable") this.#listener.refused(key, failure);
    else {
      this.#unclear.set(key, job);
      this.#listener.refused(key, failure);
      if (this.#pendingStops.has(key)) await this.#search(job);
    }
  }

  /** Finds out what became of a job; `refusal` is what the backend says when asked to take it again. */
  async #search(job: Job, refusal?: BackendFailure): Promise<void> {
    const { key } = job;
    const found = await this.#find(job);
    if (found.ok && found.value !== undefined) this.#accepted(key, found.value);
    else if (found.ok) {
      this.#unclear.delete(key);
      this.#pendingStops.delete(key);
      if (refusal === undefined) this.#listener.voided(key);
      else this.#listener.refused(key, refusal);
    } else {
      this.#listener.refused(key, { ...UNCLEAR, message: found.error.message });
      if (!this.#pendingStops.has(key)) return;
      this.#clock.after(SEARCH_AGAIN_MS, () => {
        if (!this.#abort.signal.aborted) void this.#queue.add(() => this.#search(job));
      });
    }
  }

  /** Undefined: it does not exist and never will. A backend that cannot look has nothing to find. */
  async #find(job: Job): Promise<Result<Handle | undefined, BackendFailure>> {
    const { reattach, visibilityDelayMs } = this.backend.capabilities;
    if (!reattach) return ok(undefined);
    const { signal } = this.#abort;
    await this.#clock.sleep(visibilityDelayMs, signal).catch(() => {});
    const request = { key: job.key, attempt: job.paths.attempt, handle: undefined };
    const found = await this.backend.reattach([request], signal);
    return found.ok ? ok(found.value.get(job.key)) : found;
  }

  /** A backend that throws has a bug; its jobs are refused with what it said, never forgotten. */
  async #answers(
    jobs: readonly Job[],
  ): Promise<ReadonlyMap<AttemptKey, Result<Handle, BackendFailure>>> {
    try {
      // What runs on this machine goes down with it.
      if (!this.backend.capabilities.local) await this.#secure(jobs);
    } catch (error) {
      const message = `the attempt cannot be written down: ${troubleOf(error)}`;
      return new Map(jobs.map(({ key }) => [key, err({ ...UNCLEAR, message })]));
    }
    try {
      return await this.backend.submit(jobs, this.#abort.signal);
    } catch (error) {
      const message = `backend \`${this.backend.name}\` broke while submitting: ${String(error)}`;
      const failure: BackendFailure = { type: "misconfigured", message };
      return new Map(jobs.map(({ key }) => [key, { ok: false, error: failure }]));
    }
  }

  #accepted(key: AttemptKey, handle: Handle): void {
    this.#unclear.delete(key);
    this.#listener.submitted(key, handle);
    this.#watcher.watch(key, handle);
    const stop = this.#pendingStops.get(key);
    if (stop === undefined) return;
    this.#pendingStops.delete(key);
    this.stop(key, ...stop);
  }
}

/** Pause before a backend that could not be asked what became of a job is asked again. */
const SEARCH_AGAIN_MS = 5_000;

const UNCLEAR = { type: "unavailable", retryAfterMs: undefined } as const;

const NO_ANSWER: BackendFailure = {
  type: "unavailable",
  message: "the backend gave no answer for this job",
  retryAfterMs: undefined,
};
