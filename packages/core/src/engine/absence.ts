// Tells what a backend cannot tell: of a task when nothing has been known of it for a while and when
// something is again, of a backend when that is so of all of its tasks. Nothing is lost by that, which is
// what a person wants to know.

import type { Observation } from "../backend/backend.ts";
import type { TaskId } from "../model/ids.ts";
import type { Task } from "../model/task.ts";
import { formatDuration } from "../model/units.ts";
import type { Clock } from "../ports/clock.ts";

/** A shorter silence is not worth a word. */
const SILENCE_MS = 10_000;

/** Where a task is of which something is known again. */
type KnownAt = "queued" | "running";

type Named = Pick<Task, "id" | "template">;

/** Who is told. */
export interface AbsenceNews {
  warn(message: string): void;
  unknown(task: Named, why: string): void;
  known(task: Named, at: KnownAt): void;
}

interface Silence {
  readonly since: number;
  told: boolean;
}

interface BackendSilence extends Silence {
  /** Tasks of which nothing is known. */
  readonly tasks: Set<TaskId>;
}

export class Absences {
  readonly #clock: Clock;
  readonly #news: AbsenceNews;
  readonly #backends = new Map<string, BackendSilence>();
  readonly #tasks = new Map<TaskId, Silence>();

  constructor(clock: Clock, news: AbsenceNews) {
    this.#clock = clock;
    this.#news = news;
  }

  /** Takes note of what a backend says of one task. A result may come by another way than an answer. */
  saw(backend: string, task: Named, observation: Observation): void {
    if (observation.type === "unknown") this.#silent(backend, task, observation.why);
    else if (observation.type === "ended") this.#ended(backend, task.id);
    else this.#answered(backend, task, observation.type);
  }

  /** Nobody waits for a backend any more that none of the tasks is left of. */
  #ended(backend: string, task: TaskId): void {
    this.#tasks.delete(task);
    const silence = this.#backends.get(backend);
    silence?.tasks.delete(task);
    if (silence?.tasks.size === 0) this.#backends.delete(backend);
  }

  #silent(name: string, task: Named, why: string): void {
    const now = this.#clock.now();
    const backend = this.#backends.get(name) ?? { since: now, tasks: new Set(), told: false };
    this.#backends.set(name, backend);
    backend.tasks.add(task.id);
    const own = this.#tasks.get(task.id) ?? { since: now, told: false };
    this.#tasks.set(task.id, own);
    if (!backend.told && now - backend.since >= SILENCE_MS) {
      backend.told = true;
      const count = backend.tasks.size;
      const theirs = count === 1 ? "its task goes on" : `its ${count} tasks go on`;
      const time = formatDuration(now - backend.since);
      this.#news.warn(
        `\`${name}\` has not answered for ${time}: ${why}; ${theirs} meanwhile, and what ends counts`,
      );
    }
    if (own.told || now - own.since < SILENCE_MS) return;
    own.told = true;
    this.#news.unknown(task, why);
  }

  #answered(name: string, task: Named, at: KnownAt): void {
    const backend = this.#backends.get(name);
    this.#backends.delete(name);
    if (backend?.told === true) {
      const time = formatDuration(this.#clock.now() - backend.since);
      this.#news.warn(`\`${name}\` answers again, after ${time}`);
    }
    const own = this.#tasks.get(task.id);
    this.#tasks.delete(task.id);
    if (own?.told === true) this.#news.known(task, at);
  }
}
