// Looks after the attempts that run: shows their progress, notices when one hangs, and when one has
// ended finds out what that means, writes it down and gives the claim back.

import type { Handle, Job, Observation } from "../backend/backend.ts";
import type { AttemptKey } from "../model/ids.ts";
import type { Exit, Outcome, StopReason } from "../model/outcome.ts";
import type { Task } from "../model/task.ts";
import { troubleOf } from "../ports/system-error.ts";
import type { AttemptRecord, AttemptResult } from "../record/attempt-record.ts";
import type { ScriptEvent } from "../record/script-events.ts";
import { Absences } from "./absence.ts";
import { checkpointState } from "./checkpoint.ts";
import { earlierTrials } from "./earlier-trials.ts";
import { ATTEMPT_FILES } from "./layout.ts";
import type { Trials } from "./pruning.ts";
import type { Services } from "./services.ts";
import { type AttemptStory, asideOf, openStory, resultWithoutExit, settle } from "./settle.ts";
import { restoreAside } from "./targets.ts";

/** Pause between two looks at what running programs tell. */
const LOOK_MS = 250;

/** Attempts looked at in one look; with more of them each has its turn less often. */
const MOST_LOOKED_AT = 64;

/** Pause before a disk that refused a result is tried again, and how often that is done when nothing runs. */
const RETRY_MS = 500;
const MOST_TRIES = 20;

/** An attempt between its claim and its result. */
export interface LiveAttempt {
  readonly index: number;
  readonly record: AttemptRecord;
  readonly directory: string;
  /** Kept until the backend has taken it; undefined for an adopted one. */
  job: Job | undefined;
  handle: Handle | undefined;
  readonly story: AttemptStory;
  running: boolean;
  /** Its start has been told. */
  announced: boolean;
  /** What flow asked of it. */
  stop: StopReason | undefined;
  /** Found alive from an earlier run. */
  readonly adopted: boolean;
  /** Its recipe is no longer the file's: its end only frees the task. */
  readonly outdated: boolean;
  lastSign: number;
  signs: string;
  /** Why it will not start, when that has been told. */
  warnedOf: string | undefined;
}

/** How the last attempt of a task ended, for whoever shows it. */
export interface EndedAttempt {
  readonly record: AttemptRecord;
  readonly directory: string;
  readonly result: AttemptResult;
}

const restarted = (message: string): Outcome => ({
  type: "interrupted",
  cause: "stopped",
  resumable: true,
  message,
});

const OVERTAKEN = restarted("stopped because the flow file has changed since it started");
const STOPPED_BEFORE = restarted("stopped by the run that started it");

/**
 * What another run asked of an attempt, and what vanished together with the run that started it, is
 * no wish of this run and no failure of it: the task runs again.
 */
function meaningOfAdopted({ outdated, stop }: LiveAttempt, outcome: Outcome): Outcome {
  if (stop !== undefined) return outcome;
  if (outcome.type === "cancelled") return outdated ? OVERTAKEN : STOPPED_BEFORE;
  return outcome.type === "interrupted" ? { ...outcome, resumable: true } : outcome;
}

export class Attendant {
  readonly #services: Services;
  readonly #live = new Map<number, LiveAttempt>();
  readonly #byKey = new Map<AttemptKey, number>();
  readonly #ended = new Map<number, EndedAttempt>();
  readonly #settling = new Set<Promise<void>>();
  readonly #trials = new Map<string, Trials>();
  readonly #absences: Absences;
  #closed = false;
  #cancelLook: (() => void) | undefined;
  /** Those whose turn has not come in this round of looks. */
  #round: LiveAttempt[] = [];

  constructor(services: Services) {
    this.#services = services;
    const { recorder } = services;
    this.#absences = new Absences(services.clock, {
      warn: (message) => services.warn(message),
      unknown: ({ id, template }, why) =>
        recorder.emit({ type: "task/unknown", task: id, template, why }),
      known: ({ id, template }, at) =>
        recorder.emit({ type: "task/known", task: id, template, at }),
    });
  }

  /** Takes an attempt into care. */
  admit(
    index: number,
    record: AttemptRecord,
    directory: string,
    origin: { readonly job: Job } | { readonly adopted: true; readonly outdated: boolean },
  ): LiveAttempt {
    const { files, clock } = this.#services;
    const live: LiveAttempt = {
      index,
      record,
      directory,
      job: "job" in origin ? origin.job : undefined,
      handle: undefined,
      story: openStory(record, directory, files),
      running: false,
      announced: false,
      stop: undefined,
      adopted: "adopted" in origin,
      outdated: "outdated" in origin && origin.outdated,
      lastSign: clock.now(),
      signs: "",
      warnedOf: undefined,
    };
    this.#services.request.surroundings?.expect(record);
    this.#live.set(index, live);
    this.#byKey.set(record.key, index);
    this.#lookLater();
    return live;
  }

  live(index: number): LiveAttempt | undefined {
    return this.#live.get(index);
  }

  byKey(key: AttemptKey): LiveAttempt | undefined {
    const index = this.#byKey.get(key);
    const live = index === undefined ? undefined : this.#live.get(index);
    return live?.record.key === key ? live : undefined;
  }

  ended(index: number): EndedAttempt | undefined {
    return this.#ended.get(index);
  }

  /** Nobody will ask how the task's attempt ended. */
  forget(index: number): void {
    this.#ended.delete(index);
  }

  all(): readonly LiveAttempt[] {
    return [...this.#live.values()];
  }

  /** Not taken by its backend: on record as never started, and the claim is given back. */
  abandon(live: LiveAttempt, outcome: Outcome): void {
    const { layout, files, clock, claims } = this.#services;
    const { record, directory, index } = live;
    this.#live.delete(index);
    this.#byKey.delete(record.key);
    const result = resultWithoutExit(record, outcome, clock.wall());
    restoreAside(record.task, asideOf(record, directory), layout, files);
    files.write(`${directory}/${ATTEMPT_FILES.result}`, JSON.stringify(result));
    this.#ended.set(index, { record, directory, result });
    this.#services.afterFlush(() => {
      if (!this.#live.has(index)) claims.release(record.task.key);
    });
  }

  /** Settles an attempt of a task that this run does not have. */
  async settleStray(record: AttemptRecord, directory: string, exit: Exit): Promise<void> {
    const { request, layout, files, clock, claims } = this.#services;
    const story = openStory(record, directory, files);
    story.read(true);
    const stop = undefined;
    const { result } = await settle(
      { record, directory, exit, stop, story, wall: clock.wall() },
      request.inspector,
      layout,
      files,
    );
    this.#write(record, directory, exit, result);
    this.#services.afterFlush(() => claims.release(record.task.key));
  }

  observe(live: LiveAttempt, observation: Observation): void {
    const fact = { task: live.index, serial: live.record.serial };
    this.#absences.saw(live.record.backend, live.record.task, observation);
    switch (observation.type) {
      case "queued":
        this.#services.post({ type: "attempt/queued", ...fact, why: observation.why });
        if (observation.stuck === true && live.warnedOf !== observation.why) {
          live.warnedOf = observation.why;
          this.#services.warn(`is queued, but ${observation.why}`, live.record.task);
        }
        break;
      case "running":
        if (!live.running) {
          live.running = true;
          this.#services.post({ type: "attempt/started", ...fact });
          this.#announce(live, observation.since, observation.node);
        }
        break;
      case "unknown":
        live.running = false;
        this.#services.post({ type: "attempt/unknown", ...fact, why: observation.why });
        break;
      case "ended":
        this.end(live, observation.exit);
    }
  }

  /** Settles an attempt that has ended, once. */
  end(live: LiveAttempt, exit: Exit): void {
    if (this.#live.get(live.index) !== live) return;
    this.#live.delete(live.index);
    this.#byKey.delete(live.record.key);
    if (exit.code !== undefined) this.#announce(live, exit.startedAt, exit.node);
    const settling = this.#settle(live, exit).finally(() => this.#settling.delete(settling));
    this.#settling.add(settling);
  }

  /** Resolves when no attempt is being settled. */
  async idle(): Promise<void> {
    while (this.#settling.size > 0) await Promise.all(this.#settling);
  }

  close(): void {
    this.#closed = true;
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  #announce(live: LiveAttempt, since: number | undefined, node: string | undefined): void {
    const { record, directory } = live;
    if (live.announced) return;
    live.announced = true;
    this.#services.recorder.emit({
      type: "task/started",
      task: record.task.id,
      template: record.task.template,
      attempt: record.attempt,
      reason: record.reason,
      backend: record.backend,
      node,
      stdout: `${directory}/${ATTEMPT_FILES.stdout}`,
      stderr: `${directory}/${ATTEMPT_FILES.stderr}`,
      adoptedSince: live.adopted ? (since ?? record.wall) : undefined,
    });
  }

  /**
   * A disk that refuses is asked again; when it goes on refusing, the next run settles the attempt. What
   * was removed is not waited for.
   */
  async #settle(live: LiveAttempt, exit: Exit): Promise<void> {
    const { clock, files, broken, giveUp } = this.#services;
    for (let tries = 1; ; tries++) {
      try {
        await this.#settleOnce(live, exit);
        return;
      } catch (error) {
        if (tries === 1)
          broken(`cannot record how it ended: ${troubleOf(error)}`, live.record.task);
        const isHopeless = tries >= MOST_TRIES || files.stat(live.directory) === undefined;
        if (isHopeless && this.#live.size === 0) giveUp();
        if (this.#closed) return;
      }
      await clock.sleep(RETRY_MS);
    }
  }

  async #settleOnce(live: LiveAttempt, exit: Exit): Promise<void> {
    const { record, directory, story, stop } = live;
    const { request, layout, files, clock, claims } = this.#services;
    this.#tell(live, story.read(true));
    const seen = this.#services.code?.ended(record);
    const { result: settled, warnings } = await settle(
      { record, directory, exit, stop, story, wall: clock.wall() },
      request.inspector,
      layout,
      files,
    );
    const surroundings = await request.surroundings?.of(record, exit);
    const result = { ...settled, ...surroundings, code: await seen };
    this.#write(record, directory, exit, result);
    for (const warning of warnings) this.#services.warn(warning, record.task);
    this.#services.afterFlush(() => {
      if (!this.#live.has(live.index)) claims.release(record.task.key);
    });
    this.#ended.set(live.index, { record, directory, result });
    this.#report(live, result);
  }

  #write(record: AttemptRecord, directory: string, exit: Exit, result: AttemptResult): void {
    const { request, files, recorder } = this.#services;
    const { task, key } = record;
    const { outcome, trace, wall } = result;
    if (trace !== undefined) request.traces.put(task.key, trace);
    files.write(`${directory}/${ATTEMPT_FILES.result}`, JSON.stringify(result));
    recorder.fact({ type: "attempt/ended", task: task.id, key, outcome, exit, trace, wall });
  }

  #report(live: LiveAttempt, { outcome, progressed, exit }: AttemptResult): void {
    const { index, record } = live;
    const { serial } = record;
    const meaning = live.adopted ? meaningOfAdopted(live, outcome) : outcome;
    this.#services.post({
      type: "attempt/ended",
      task: index,
      serial,
      outcome: meaning,
      progressed,
      restarts: exit?.restarts,
    });
  }

  #lookLater(): void {
    this.#cancelLook ??= this.#services.clock.after(LOOK_MS, () => {
      this.#cancelLook = undefined;
      if (this.#round.length === 0) this.#round = this.all().filter(({ running }) => running);
      for (const live of this.#round.splice(0, MOST_LOOKED_AT)) this.#look(live);
      if (this.#live.size > 0) this.#lookLater();
    });
  }

  #look(live: LiveAttempt): void {
    if (!live.running || this.#live.get(live.index) !== live) return;
    const events = live.story.read();
    this.#tell(live, events);
    const { task } = live.record;
    if (task.hangAfterMs !== undefined) this.#watchForHang(live, task, events.length > 0);
  }

  #tell(live: LiveAttempt, events: readonly ScriptEvent[]): void {
    const { record } = live;
    const name = { task: record.task.id, template: record.task.template };
    for (const event of events) {
      if (event.kind === "progress") {
        const { kind: _, ...progress } = event;
        this.#services.recorder.emit({ type: "task/progress", ...name, ...progress });
      } else if (event.kind === "metrics") {
        const { step, values } = event;
        this.#services.recorder.emit({ type: "task/metrics", ...name, step, values });
        this.#judge(live, step, values);
      }
    }
  }

  /** Ends a trial that its sweep's rule finds not promising. */
  #judge(
    live: LiveAttempt,
    step: number | undefined,
    values: Readonly<Record<string, number>>,
  ): void {
    const { task } = live.record;
    if (task.pruning === undefined) return;
    let trials = this.#trials.get(task.template);
    if (trials === undefined) {
      trials = earlierTrials(task.pruning, task.template, this.#services);
      this.#trials.set(task.template, trials);
    }
    if (!trials.saw(task.id, step, values) || live.stop !== undefined) return;
    if (this.#live.get(live.index) !== live) return;
    const tasks = [live.index];
    this.#services.post({ type: "stop/requested", tasks, how: "graceful", reason: "pruned" });
  }

  #watchForHang(live: LiveAttempt, task: Task, heard: boolean): void {
    const { files, clock } = this.#services;
    const outputs = [ATTEMPT_FILES.stdout, ATTEMPT_FILES.stderr].map(
      (name) => files.stat(`${live.directory}/${name}`)?.size ?? 0,
    );
    const checkpoint = live.record.checkpoint;
    const signs = `${outputs.join(" ")} ${checkpoint === undefined ? "" : checkpointState(checkpoint, files)}`;
    if (heard || signs !== live.signs) {
      live.signs = signs;
      live.lastSign = clock.now();
      return;
    }
    if (live.stop !== undefined || clock.now() - live.lastSign < (task.hangAfterMs ?? 0)) return;
    this.#services.post({
      type: "stop/requested",
      tasks: [live.index],
      how: "graceful",
      reason: "hung",
    });
  }
}
