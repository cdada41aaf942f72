// Attempts that have been accepted and wait for cards. They become attempts of this machine when
// their cards are granted, or end without ever having started.

import {
  type AttemptKey,
  type BackendFailure,
  exitWith,
  type Observation,
  type StopReason,
} from "@flow/core";

interface Waiting {
  readonly abort: AbortController;
  observation: Observation;
  readonly over: Promise<void>;
}

type Listener = (keys: readonly AttemptKey[]) => void;

export class Pending {
  readonly #waiting = new Map<AttemptKey, Waiting>();
  readonly #listeners = new Set<Listener>();

  /** What is known of an attempt that waits, or never started; undefined when it has started. */
  observe(key: AttemptKey): Observation | undefined {
    return this.#waiting.get(key)?.observation;
  }

  /** `start` waits for cards and starts the attempt; it answers why that failed. */
  add(key: AttemptKey, start: (signal: AbortSignal) => Promise<BackendFailure | undefined>): void {
    const abort = new AbortController();
    const over = start(abort.signal).then((failure) => {
      const waiting = this.#waiting.get(key);
      if (waiting?.observation.type === "queued") {
        if (failure === undefined) this.#waiting.delete(key);
        else waiting.observation = { type: "ended", exit: exitWith({ detail: failure.message }) };
      }
      this.#announce(key);
    });
    this.#waiting.set(key, {
      abort,
      observation: { type: "queued", why: "asks for a GPU" },
      over,
    });
  }

  explain(key: AttemptKey, why: string): void {
    const waiting = this.#waiting.get(key);
    if (waiting?.observation.type !== "queued") return;
    waiting.observation = { type: "queued", why };
    this.#announce(key);
  }

  /** True when the attempt had not started; it will not now. */
  cancel(key: AttemptKey, reason: StopReason): boolean {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined) return false;
    if (waiting.observation.type === "queued") {
      waiting.observation = { type: "ended", exit: exitWith({ stopped: reason }) };
      waiting.abort.abort();
      this.#announce(key);
    }
    return true;
  }

  /** Resolves when the attempt waits no longer. */
  async over(key: AttemptKey, signal: AbortSignal): Promise<void> {
    const waiting = this.#waiting.get(key);
    if (waiting === undefined || signal.aborted) return;
    const aborted = new Promise<void>((resolve) => {
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
    await Promise.race([waiting.over, aborted]);
  }

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Withdraws all requests. */
  close(): void {
    this.#listeners.clear();
    for (const { abort } of this.#waiting.values()) abort.abort();
    this.#waiting.clear();
  }

  #announce(key: AttemptKey): void {
    for (const listener of this.#listeners) listener([key]);
  }
}
