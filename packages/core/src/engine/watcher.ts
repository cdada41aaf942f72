// Keeps an eye on the attempts of one backend: asks it about all of them at once, no more often than
// it wants to be asked, sooner when it calls back. What cannot be found out is "unknown", never an end.

import type PQueue from "p-queue";
import type { Backend, Handle, Observation } from "../backend/backend.ts";
import type { AttemptKey } from "../model/ids.ts";
import type { Clock } from "../ports/clock.ts";

/** Longest pause between two questions while nothing changes, as a multiple of the shortest. */
const SLOWEST = 8;

/** Pause before new attempts of a backend of this machine are first asked about; most short ones are over by then. */
const FIRST_LOOK_MS = 100;

export class Watcher {
  readonly #backend: Backend;
  readonly #lane: PQueue;
  readonly #clock: Clock;
  readonly #report: (key: AttemptKey, observation: Observation) => void;
  readonly #abort = new AbortController();
  readonly #watched = new Map<AttemptKey, Handle>();
  readonly #unsubscribe: (() => void) | undefined;
  /** Hints about keys whose submit has not returned yet. */
  readonly #early = new Set<AttemptKey>();
  #hinted = new Set<AttemptKey>();
  #busy = false;
  #quiet = 1;
  /** Not asked about yet. */
  readonly #unseen = new Set<AttemptKey>();
  #cancelTimer: (() => void) | undefined;
  #cancelFirst: (() => void) | undefined;

  constructor(
    backend: Backend,
    lane: PQueue,
    clock: Clock,
    report: (key: AttemptKey, observation: Observation) => void,
  ) {
    this.#backend = backend;
    this.#lane = lane;
    this.#clock = clock;
    this.#report = report;
    this.#unsubscribe = backend.onChange?.((keys) => {
      for (const key of keys) (this.#watched.has(key) ? this.#hinted : this.#early).add(key);
      if (this.#hinted.size > 0) void this.#ask();
    });
  }

  watch(key: AttemptKey, handle: Handle): void {
    this.#watched.set(key, handle);
    this.#unseen.add(key);
    // A new attempt is soon seen to run, however long the others have been quiet.
    if (this.#quiet > 1) this.#unschedule();
    this.#quiet = 1;
    this.#lookSoon();
    if (this.#early.delete(key)) {
      this.#hinted.add(key);
      void this.#ask();
    }
    this.#schedule();
  }

  forget(key: AttemptKey): void {
    this.#watched.delete(key);
    this.#unseen.delete(key);
    this.#early.delete(key);
    this.#hinted.delete(key);
  }

  handle(key: AttemptKey): Handle | undefined {
    return this.#watched.get(key);
  }

  /** Stops asking; what runs goes on running. */
  close(): void {
    this.#abort.abort();
    this.#unschedule();
    this.#cancelFirst?.();
    this.#unsubscribe?.();
    this.#watched.clear();
  }

  /** Where asking is cheap, new attempts are seen to run before the next regular question. */
  #lookSoon(): void {
    if (!this.#backend.capabilities.pushes || this.#cancelFirst !== undefined) return;
    this.#cancelFirst = this.#clock.after(FIRST_LOOK_MS, () => {
      this.#cancelFirst = undefined;
      for (const key of this.#unseen) this.#hinted.add(key);
      this.#unseen.clear();
      void this.#ask();
    });
  }

  #schedule(): void {
    if (this.#cancelTimer !== undefined || this.#watched.size === 0) return;
    const { pollIntervalMs } = this.#backend.capabilities;
    this.#cancelTimer = this.#clock.after(pollIntervalMs * this.#quiet, () => {
      this.#cancelTimer = undefined;
      this.#hinted = new Set(this.#watched.keys());
      void this.#ask();
    });
  }

  #unschedule(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  async #ask(): Promise<void> {
    if (this.#busy || this.#abort.signal.aborted) return;
    this.#busy = true;
    try {
      while (this.#hinted.size > 0 && !this.#abort.signal.aborted) await this.#askOnce();
    } finally {
      this.#busy = false;
    }
    this.#schedule();
  }

  async #askOnce(): Promise<void> {
    const handles = new Map<AttemptKey, Handle>();
    for (const key of this.#hinted) {
      const handle = this.#watched.get(key);
      if (handle !== undefined) handles.set(key, handle);
    }
    this.#hinted = new Set();
    if (handles.size === 0) return;
    const { signal } = this.#abort;
    const answer = await this.#lane.add(() => this.#backend.observe(handles, signal));
    if (signal.aborted) return;
    if (!answer.ok) {
      for (const key of handles.keys()) {
        if (this.#watched.has(key)) {
          this.#report(key, { type: "unknown", why: answer.error.message });
        }
      }
      this.#quiet = Math.min(SLOWEST, this.#quiet * 2);
      return;
    }
    let changed = false;
    for (const [key, observation] of answer.value) {
      if (!this.#watched.has(key)) continue;
      if (observation.type === "ended") {
        changed = true;
        this.forget(key);
      }
      this.#report(key, observation);
    }
    this.#quiet = changed ? 1 : Math.min(SLOWEST, this.#quiet * 2);
  }
}
