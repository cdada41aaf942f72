// Time as a port, so that tests own it.

import type { Instant } from "../model/ids.ts";

export interface Clock {
  /** Monotonic. */
  now(): Instant;
  /** Unix milliseconds, for records and screens only; nothing is decided by it. */
  wall(): number;
  /** Resolves after `milliseconds`; rejects with the signal's reason when aborted. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once after `milliseconds`; returns the function that cancels it. */
  after(milliseconds: number, callback: () => void): () => void;
}
