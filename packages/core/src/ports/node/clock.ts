// The real clock.

import { performance } from "node:perf_hooks";
import { instant } from "../../model/ids.ts";
import type { Clock } from "../clock.ts";

/** Longest delay a Node timer takes; longer ones are cut into pieces. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const nodeClock: Clock = {
  now: () => instant(performance.now()),
  wall: () => Date.now(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const cancel = nodeClock.after(milliseconds, () => {
        signal?.removeEventListener("abort", aborted);
        resolve();
      });
      function aborted(): void {
        cancel();
        reject(signal?.reason as Error);
      }
      signal?.addEventListener("abort", aborted, { once: true });
    }),
  after(milliseconds, callback) {
    let timer: NodeJS.Timeout;
    const arm = (left: number): void => {
      const piece = Math.min(left, LONGEST_TIMER_MS);
      timer = setTimeout(() => (left > piece ? arm(left - piece) : callback()), piece);
    };
    arm(Math.max(0, milliseconds));
    return () => clearTimeout(timer);
  },
};
