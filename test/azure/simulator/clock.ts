/**
 * The simulator's time: the real one plus what a test has skipped. Timers follow a skip, so that a day's
 * limit can be tested in a millisecond.
 */

interface Timer {
  readonly at: number;
  readonly call: () => void;
}

export class SimulatedClock {
  #skippedMs = 0;
  #timers = new Set<Timer>();
  #wake: NodeJS.Timeout | undefined;

  /** Milliseconds since the epoch. */
  now(): number {
    return Date.now() + this.#skippedMs;
  }

  /** The time in the form of the service. */
  stamp(): string {
    return new Date(this.now()).toISOString();
  }

  /** Calls once after a time; the returned function forgets it. */
  after(delayMs: number, call: () => void): () => void {
    const timer = { at: this.now() + delayMs, call };
    this.#timers.add(timer);
    this.#arm();
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** Lets time pass at once. */
  skip(durationMs: number): void {
    this.#skippedMs += durationMs;
    this.#arm();
  }

  stop(): void {
    this.#timers.clear();
    clearTimeout(this.#wake);
  }

  #arm(): void {
    clearTimeout(this.#wake);
    if (this.#timers.size === 0) return;
    const next = Math.min(...[...this.#timers].map(({ at }) => at));
    const delayMs = Math.min(Math.max(0, next - this.now()), 2 ** 30);
    this.#wake = setTimeout(() => this.#ring(), delayMs);
  }

  #ring(): void {
    const due = [...this.#timers].filter(({ at }) => at <= this.now());
    for (const timer of due.sort((a, b) => a.at - b.at)) {
      if (this.#timers.delete(timer)) timer.call();
    }
    this.#arm();
  }
}

const DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;

/** Milliseconds of an ISO 8601 duration such as `PT15M`; the service's "for ever" is `Infinity`. */
export function durationMs(text: string | undefined): number {
  if (text === undefined || text === FOR_EVER) return Number.POSITIVE_INFINITY;
  const match = DURATION.exec(text);
  if (match === null) throw new RangeError(`\`${text}\` is not an ISO 8601 duration`);
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match
    .slice(1)
    .map((each) => Number(each ?? 0));
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
}

/** How the service writes an unlimited duration. */
export const FOR_EVER = "P10675199DT2H48M5.4775807S";
