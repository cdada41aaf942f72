// What every form of output is: something that takes events, is called now and then, and ends.

import type { RunEvent } from "@flow/core";

export interface Screen {
  /** How often `tick` wants to be called, in milliseconds. */
  readonly tickMs: number;
  event(event: RunEvent): void;
  tick(): void;
  /** Leaves the terminal as it was found. */
  close(): void;
}

/** Milliseconds on a clock that never goes back. */
export type Monotonic = () => number;
