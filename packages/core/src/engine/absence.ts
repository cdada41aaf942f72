// Tells once that a backend cannot say how its attempts are, and since when, and tells when it can again.
// Nothing is lost by that, which is what a person wants to know.

import type { Observation } from "../backend/backend.ts";
import type { TaskId } from "../model/ids.ts";
import { formatDuration } from "../model/units.ts";
import type { Clock } from "../ports/clock.ts";

/** A shorter silence is not worth a word. */
const SILENCE_MS = 10_000;

interface Silence {
  readonly since: number;
  /** Tasks of which nothing is known. */
  readonly tasks: Set<TaskId>;
  told: boolean;
}

export class Absences {
  readonly #clock: Clock;
  readonly #warn: (message: string) => void;
  readonly #silences = new Map<string, Silence>();

  constructor(clock: Clock, warn: (message: string) => void) {
    this.#clock = clock;
    this.#warn = warn;
  }

  /** Takes note of what a backend says of one task. A result may come by another way than an answer. */
  saw(backend: string, task: TaskId, observation: Observation): void {
    if (observation.type === "unknown") this.#silent(backend, task, observation.why);
    else if (observation.type === "ended") this.#ended(backend, task);
    else this.#answered(backend);
  }

  /** Nobody waits for a backend any more that none of the tasks is left of. */
  #ended(backend: string, task: TaskId): void {
    const silence = this.#silences.get(backend);
    silence?.tasks.delete(task);
    if (silence?.tasks.size === 0) this.#silences.delete(backend);
  }

  #silent(backend: string, task: TaskId, why: string): void {
    const now = this.#clock.now();
    const silence = this.#silences.get(backend) ?? { since: now, tasks: new Set(), told: false };
    this.#silences.set(backend, silence);
    silence.tasks.add(task);
    if (silence.told || now - silence.since < SILENCE_MS) return;
    silence.told = true;
    const count = silence.tasks.size;
    const theirs = count === 1 ? "its task goes on" : `its ${count} tasks go on`;
    const time = formatDuration(now - silence.since);
    this.#warn(
      `\`${backend}\` has not answered for ${time}: ${why}; ${theirs} meanwhile, and what ends counts`,
    );
  }

  #answered(backend: string): void {
    const silence = this.#silences.get(backend);
    this.#silences.delete(backend);
    if (silence?.told !== true) return;
    const time = formatDuration(this.#clock.now() - silence.since);
    this.#warn(`\`${backend}\` answers again, after ${time}`);
  }
}
