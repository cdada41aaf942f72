// The system behind a fake backend. It outlives every backend that was opened over it, as a cluster
// outlives flow, and it is the witness of what really ran.

import type { Job } from "../backend/backend.ts";
import type { AttemptKey } from "../model/ids.ts";
import type { Clock } from "../ports/clock.ts";
import { FakeJob, type Player } from "./fake-job.ts";

export interface FakeWorldOptions {
  /** How long a job waits before it starts. @default 0 */
  readonly queueMs?: (job: Job) => number;
}

export class FakeWorld {
  readonly clock: Clock;
  /** By the system's own number for them. */
  readonly jobs: Map<string, FakeJob> = new Map();
  readonly #play: Player;
  readonly #queueMs: (job: Job) => number;
  readonly #byKey = new Map<AttemptKey, string[]>();
  readonly #fenced = new Set<AttemptKey>();
  readonly #listeners = new Set<(key: AttemptKey) => void>();
  #numbers = 0;

  constructor(clock: Clock, play: Player, options: FakeWorldOptions = {}) {
    this.clock = clock;
    this.#play = play;
    this.#queueMs = options.queueMs ?? (() => 0);
  }

  /** Takes a job and gives its number; undefined when its key is fenced. */
  accept(job: Job): string | undefined {
    if (this.#fenced.has(job.key)) return undefined;
    this.#numbers += 1;
    const number = String(this.#numbers);
    const changed = (): void => {
      for (const listener of this.#listeners) listener(job.key);
    };
    const start = {
      queueMs: this.#queueMs(job),
      mayStart: () => !this.#fenced.has(job.key),
    };
    this.jobs.set(number, new FakeJob(job, this.clock, this.#play, changed, start));
    this.#byKey.set(job.key, [...this.numbersOf(job.key), number]);
    return number;
  }

  /** Numbers of the jobs with this key, first accepted first; more than one only without dedupe. */
  numbersOf(key: AttemptKey): readonly string[] {
    return this.#byKey.get(key) ?? [];
  }

  /** The first job with this key; undefined when there is none. */
  jobOf(key: AttemptKey): FakeJob | undefined {
    const number = this.numbersOf(key)[0];
    return number === undefined ? undefined : this.jobs.get(number);
  }

  /** Keeps a key from ever starting; false when it has started. */
  fence(key: AttemptKey): boolean {
    if (this.numbersOf(key).some((number) => this.jobs.get(number)?.hasStarted === true)) {
      return false;
    }
    this.#fenced.add(key);
    return true;
  }

  /** Calls back with the key of a job whose state or output has changed. */
  subscribe(listener: (key: AttemptKey) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
