// When a request is sent again: after what the service asked for, or after a growing random pause.
// Nothing is sent to an account while it asks to be left alone.

import type { Clock } from "@flow/core";
import { isTransient, ServiceError } from "./service-error.ts";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;
const MOST_TRIES = 6;

/** A longer wait is the engine's business, which can be seen and interrupted. */
const PATIENCE_MS = 60_000;

export class Retry {
  readonly #clock: Clock;
  readonly #random: () => number;
  /** Not before this instant of the clock may anything be sent. */
  #closedUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Calls until it succeeds, fails for good, or patience ends; rejects with what failed last. */
  async call<T>(
    request: () => Promise<T>,
    signal?: AbortSignal,
    mostTries: number = MOST_TRIES,
  ): Promise<T> {
    const begun = this.#clock.now();
    for (let tries = 1; ; tries++) {
      await this.#opened(signal);
      try {
        return await request();
      } catch (error) {
        if (!(error instanceof ServiceError) || !isTransient(error)) throw error;
        const pause = this.#pauseAfter(error, tries);
        const late = this.#clock.now() - begun + pause > PATIENCE_MS;
        if (tries >= mostTries || late || signal?.aborted === true) throw error;
        await this.#clock.sleep(pause, signal);
      }
    }
  }

  /** What the service asks for holds for the whole account; jitter comes on top, never before. */
  #pauseAfter({ retryAfterMs }: ServiceError, tries: number): number {
    const window = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1));
    if (retryAfterMs === undefined) return window * this.#random();
    this.#closedUntil = Math.max(this.#closedUntil, this.#clock.now() + retryAfterMs);
    return retryAfterMs + Math.min(window, 1000) * this.#random();
  }

  async #opened(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const wait = this.#closedUntil - this.#clock.now();
      if (wait <= 0) return;
      await this.#clock.sleep(wait, signal);
    }
  }
}
