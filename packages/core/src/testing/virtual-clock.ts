// Time that passes only when a test says so.

import { type Instant, instant } from "../model/ids.ts";
import type { Clock } from "../ports/clock.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

/** What `wall()` says when the clock is new: 2026-01-01, in Unix milliseconds. */
const EPOCH = 1_767_225_600_000;

export class VirtualClock implements Clock {
  #now = 0;
  #made = 0;
  readonly #timers = new Set<Timer>();

  now(): Instant {
    return instant(this.#now);
  }

  wall(): number {
    return EPOCH + this.#now;
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size;
  }

  after(milliseconds: number, callback: () => void): () => void {
    this.#made += 1;
    const timer = { at: this.#now + Math.max(0, milliseconds), order: this.#made, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const abort = (): void => {
        cancel();
        reject(signal?.reason as Error);
      };
      const cancel = this.after(milliseconds, () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      });
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /**
   * Lets time pass and runs what is due on the way, in order, each with all that follows from it.
   * Throws when nothing is due by then: the test waits for something that will not happen.
   */
  async advance(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds;
    await settled();
    if (!this.runNext(until)) {
      throw new Error(`nothing is due within ${milliseconds} ms; ${this.#timers.size} timers wait`);
    }
    do await settled();
    while (this.runNext(until));
    this.#now = until;
  }

  /** Goes to the next timer and runs it with all that follows from it. Throws when none waits. */
  async next(): Promise<void> {
    await settled();
    if (!this.runNext()) {
      throw new Error("no timer waits, so time would pass for nothing");
    }
    await settled();
  }

  /**
   * Lets time pass until the promise settles. Throws when it cannot, because no timer waits, or has
   * not within `limitMs`.
   */
  async until<T>(promise: Promise<T>, limitMs: number = 7 * 86_400_000): Promise<T> {
    let done = false;
    const finish = (): void => {
      done = true;
    };
    promise.then(finish, finish);
    const end = this.#now + limitMs;
    for (;;) {
      await settled();
      if (done) return promise;
      if (!this.runNext(end)) {
        throw new Error(`still waiting at ${this.#now} ms; ${this.#timers.size} timers wait`);
      }
    }
  }

  /**
   * Runs the next timer that is due by `until`, without waiting for what follows from it; false when
   * there is none. For simulations that use no promises.
   */
  runNext(until: number = Number.POSITIVE_INFINITY): boolean {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      const sooner =
        next === undefined ||
        timer.at < next.at ||
        (timer.at === next.at && timer.order < next.order);
      if (sooner) next = timer;
    }
    if (next === undefined || next.at > until) return false;
    this.#timers.delete(next);
    this.#now = Math.max(this.#now, next.at);
    next.callback();
    return true;
  }
}

/** Resolves when every promise that can go on without time or I/O has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
