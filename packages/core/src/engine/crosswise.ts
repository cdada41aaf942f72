// Runs that programs of tasks start can come to wait for each other: a task's program starts a run that
// waits for a task of another run, whose program started one that waits for the first. No claim says
// that, so a run that began inside of a task writes down, with the attempts it began inside of, what it
// waits for. Whoever finds itself in such a circle for a while and is its youngest run gives way.

import type { RunId, TaskKey } from "../model/ids.ts";
import { lastAttempt } from "../record/attempt-record.ts";
import { enclosingTasks, type WaitingTask } from "./enclosing-tasks.ts";
import { layout } from "./layout.ts";
import type { Services } from "./services.ts";

/** A program that does not wait for what it started breaks a circle soon; one that lasts is one. */
const PATIENCE_MS = 2000;

const NOTE = "waiting.";

/** Something of another run that is waited for. */
export interface Awaited {
  readonly run: RunId;
  readonly key: TaskKey;
}

/** What a run has written down. */
interface Note {
  readonly project: string;
  readonly run: RunId;
  readonly waits: readonly Awaited[];
}

/** A task that is waited for, and the run inside of it that waits in turn. */
interface Step {
  readonly task: string;
  readonly of: RunId;
  readonly inside: RunId;
}

export class Crosswise {
  readonly #services: Services;
  /** Absent until the run waits for the first time. */
  #around: readonly WaitingTask[] | undefined;
  #noted = "[]";
  #since: number | undefined;

  constructor(services: Services) {
    this.#services = services;
  }

  /** Takes note of what the run waits for now; why it would wait for ever, once that is sure. */
  look(waits: readonly Awaited[]): string | undefined {
    const { request, clock, files } = this.#services;
    if (request.inside === undefined) return undefined;
    if (waits.length > 0) this.#around ??= enclosingTasks(request.inside, files);
    this.#write(waits);
    const circle = this.#circle(waits);
    if (circle === undefined) {
      this.#since = undefined;
      return undefined;
    }
    this.#since ??= clock.now();
    return clock.now() - this.#since < PATIENCE_MS ? undefined : inWords(circle);
  }

  #write(waits: readonly Awaited[]): void {
    const { request, layout, files } = this.#services;
    const text = JSON.stringify(waits.map(({ run, key }) => ({ run, key })));
    if (text === this.#noted) return;
    this.#noted = text;
    const note = `{"project":${JSON.stringify(layout.root)},"run":"${request.run}","waits":${text}}\n`;
    for (const { attempt } of this.#around ?? []) {
      const path = `${attempt}/${NOTE}${request.run}.json`;
      try {
        if (waits.length === 0) files.remove(path);
        else files.replace(path, note);
      } catch {
        // The attempt's folder is gone, or the disk full: the circle, if any, is not found, and no worse.
      }
    }
  }

  /** A way from what this run waits for to a task it runs inside of, when it is the youngest of all on it. */
  #circle(waits: readonly Awaited[]): readonly Step[] | undefined {
    const { layout, request } = this.#services;
    const seen = new Set<string>();
    for (const awaited of waits) {
      const way = this.#way(layout.root, awaited, seen);
      if (way === undefined) continue;
      return way.every(({ inside }) => inside <= request.run) ? way : undefined;
    }
    return undefined;
  }

  #way(project: string, { run, key }: Awaited, seen: Set<string>): readonly Step[] | undefined {
    const { request, files } = this.#services;
    const place = `${project}\0${key}`;
    if (seen.has(place)) return undefined;
    seen.add(place);
    const { record, result, directory = "" } = lastAttempt(layout(project), key, files) ?? {};
    if (record?.run !== run || result !== undefined) return undefined;
    const step = { task: record.task.id, of: run };
    const isAround = (around: WaitingTask): boolean =>
      around.project === project && around.task === key && around.run === run;
    if (this.#around?.some(isAround) === true) return [{ ...step, inside: request.run }];
    for (const note of this.#notesIn(directory)) {
      if (!request.ports.locks.isHeld(layout(note.project).runLock(note.run))) continue;
      for (const next of note.waits) {
        const way = this.#way(note.project, next, seen);
        if (way !== undefined) return [{ ...step, inside: note.run }, ...way];
      }
    }
    return undefined;
  }

  #notesIn(attempt: string): readonly Note[] {
    const { files, request } = this.#services;
    return (files.list(attempt) ?? []).flatMap(({ name }) => {
      if (!name.startsWith(NOTE) || name === `${NOTE}${request.run}.json`) return [];
      try {
        const text = Buffer.from(files.read(`${attempt}/${name}`) ?? []).toString("utf8");
        return [JSON.parse(text) as Note];
      } catch {
        return [];
      }
    });
  }
}

/** `it waits for `x` of run A, inside of which run C waits for `y` of run B, inside of which it began itself` */
function inWords(circle: readonly Step[]): string {
  const steps = circle.map(({ task, of, inside }, place) => {
    const by = place === circle.length - 1 ? "this run began" : `run ${inside} waits for `;
    return `\`${task}\` of run ${of}, inside of which ${by}`;
  });
  return `this run would wait for ever: it waits for ${steps.join("")}. It gives up, so that the others can go on; name one task under \`after:\` of the other instead of running it from there`;
}
