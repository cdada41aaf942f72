// Carries out what the machine wants done about attempts: start, submit again, stop. Hears what the
// backends answer and passes it on as facts.

import type { BackendFailure, Handle, Job } from "../backend/backend.ts";
import type { Effect } from "../machine/effect.ts";
import type { AttemptKey } from "../model/ids.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Task } from "../model/task.ts";
import { troubleOf } from "../ports/system-error.ts";
import type { AttemptRecord, StoredAttempt } from "../record/attempt-record.ts";
import { Adoption } from "./adoption.ts";
import type { Attendant, LiveAttempt } from "./attendant.ts";
import type { Checker } from "./checker.ts";
import { Lane, type LaneListener } from "./lanes.ts";
import { ATTEMPT_FILES } from "./layout.ts";
import type { Neighbours, Occupation } from "./neighbours.ts";
import type { Services } from "./services.ts";
import { Starter } from "./starter.ts";

type StartEffect = Effect & { type: "start" };
type StopEffect = Effect & { type: "stop" };

export interface DispatchParts {
  readonly attendant: Attendant;
  readonly checker: Checker;
  readonly neighbours: Neighbours;
  /** Makes the run's place on disk, once. */
  readonly open: () => void;
}

export class Dispatch {
  readonly adoption: Adoption;
  readonly #services: Services;
  readonly #parts: DispatchParts;
  readonly #starter: Starter;
  readonly #lanes = new Map<string, Lane>();
  /** Backends that could not take work, and why. */
  readonly #delays = new Set<string>();

  constructor(services: Services, parts: DispatchParts) {
    this.#services = services;
    this.#parts = parts;
    this.#starter = new Starter(services);
    this.adoption = new Adoption(services, parts.attendant, this.#lanes);
    const { layout, files, clock, request } = services;
    const secure = (jobs: readonly Job[]): Promise<void> => {
      const records = jobs.map(({ paths }) => `${paths.attempt}/${ATTEMPT_FILES.record}`);
      return files.sync([...records, layout.locks]);
    };
    for (const [name, backend] of request.backends) {
      this.#lanes.set(name, new Lane(backend, clock, this.#listener(), secure));
    }
  }

  start(effect: StartEffect): void {
    const { post } = this.#services;
    const { checker, neighbours } = this.#parts;
    const task = this.#task(effect.task);
    const checked = checker.result(effect.task);
    try {
      const conflict =
        neighbours.conflictOf(task) ??
        (checked === undefined ? neighbours.holderOf(task) : undefined);
      if (conflict !== undefined) {
        post({ type: "task/held", task: effect.task });
        this.#wait(effect.task, conflict);
        return;
      }
      if (checked === undefined) {
        post({ type: "task/held", task: effect.task });
        checker.refresh(effect.task);
        return;
      }
      this.#parts.open();
      const start = neighbours.admit(task, effect.resources, () =>
        this.#starter.start(effect, checked),
      );
      if (start === undefined) {
        post({ type: "task/held", task: effect.task });
        post({ type: "task/released", task: effect.task });
      } else if (start.type === "prepared") this.#submit(effect.task, start.record, start.job);
      else if (start.type === "orphan") {
        void this.#adopt(effect.task, start.attempt);
      } else {
        post({ type: "task/held", task: effect.task });
        if (start.type === "held") {
          this.#wait(effect.task, { run: start.by, key: task.key, task: undefined });
        } else checker.refresh(effect.task);
      }
    } catch (error) {
      this.#services.broken(`cannot start: ${troubleOf(error)}`, task);
      const serial = (checked?.lastSerial ?? 0) + 1;
      post({ type: "attempt/claimed", task: effect.task, serial });
      this.#tellRefused(effect.task, serial, {
        type: "rejected",
        message: troubleOf(error),
      });
    }
  }

  async #adopt(index: number, orphan: StoredAttempt & { record: AttemptRecord }): Promise<void> {
    try {
      if (await this.adoption.adoptOne(index, orphan)) return;
      this.#services.post({ type: "task/held", task: index });
      this.#parts.checker.refresh(index);
    } catch (error) {
      const message = `cannot take over run ${orphan.record.run}: ${troubleOf(error)}`;
      this.#services.broken(message, this.#task(index));
    }
  }

  /** A run that others wait for in turn must be seen to live while it waits. */
  #wait(index: number, occupation: Occupation): void {
    if (this.#services.request.inside !== undefined) this.#parts.open();
    this.#parts.neighbours.waitFor(index, occupation);
  }

  resubmit(index: number): void {
    const live = this.#parts.attendant.live(index);
    if (live?.job !== undefined) this.#lane(index).sendAgain(live.job);
  }

  stop(effect: StopEffect): void {
    const live = this.#parts.attendant.live(effect.task);
    if (live === undefined) return;
    live.stop = effect.reason;
    this.#lane(effect.task).stop(live.record.key, effect.how, effect.reason);
  }

  /** Submits what has been prepared; called once it is on record. */
  send(): void {
    for (const lane of this.#lanes.values()) lane.send();
  }

  /** Stops asking and submitting; attempts go on running. */
  close(): void {
    for (const lane of this.#lanes.values()) lane.close();
  }

  #submit(index: number, record: AttemptRecord, job: Job): void {
    const { recorder, post } = this.#services;
    const { key, attempt, reason, serial, task, wall } = record;
    recorder.fact({ type: "attempt/claimed", task: task.id, key, attempt, reason, wall });
    this.#parts.attendant.admit(index, record, job.paths.attempt, { job });
    post({ type: "attempt/claimed", task: index, serial });
    this.#lane(index).add(job);
  }

  #listener(): LaneListener {
    const { attendant } = this.#parts;
    const { post, warn } = this.#services;
    const withLive = (key: AttemptKey, act: (live: LiveAttempt) => void): void => {
      const live = attendant.byKey(key);
      if (live !== undefined) act(live);
    };
    return {
      submitted: (key, handle) =>
        withLive(key, (live) => {
          this.#noteHandle(live, handle);
          post({ type: "attempt/submitted", task: live.index, serial: live.record.serial });
        }),
      refused: (key, failure) => withLive(key, (live) => this.#refused(live, failure)),
      voided: (key) =>
        withLive(key, (live) => {
          attendant.abandon(live, NEVER_STARTED);
          post({ type: "attempt/voided", task: live.index, serial: live.record.serial });
        }),
      observed: (key, observation) => withLive(key, (live) => attendant.observe(live, observation)),
      stopFailed: (key, failure) =>
        withLive(key, (live) =>
          warn(`could not be asked to stop: ${failure.message}`, live.record.task),
        ),
    };
  }

  /** On this machine the attempt's folder says all; elsewhere the handle is worth writing down. */
  #noteHandle(live: LiveAttempt, handle: Handle): void {
    live.handle = handle;
    if (this.#lane(live.index).backend.capabilities.local) return;
    this.#services.recorder.fact({ type: "attempt/submitted", key: live.record.key, handle });
  }

  #refused(live: LiveAttempt, failure: BackendFailure): void {
    if (failure.type !== "unavailable") {
      this.#parts.attendant.abandon(live, refusedFor(failure.message));
    }
    if (failure.type === "misconfigured") this.#services.missing();
    if (failure.type === "unavailable") this.#warnOfDelay(live, failure.message);
    this.#tellRefused(live.index, live.record.serial, failure);
  }

  /** Once for each backend and reason, not for every task that waits for the same. */
  #warnOfDelay({ record, index }: LiveAttempt, message: string): void {
    const delay = `${this.#task(index).backend} ${message}`;
    if (this.#delays.has(delay)) return;
    this.#delays.add(delay);
    this.#services.warn(`could not be submitted yet: ${message}; flow tries again`, record.task);
  }

  #tellRefused(task: number, serial: number, failure: BackendFailure): void {
    this.#services.post({
      type: "attempt/refused",
      task,
      serial,
      failure: failure.type,
      retryAfterMs: failure.type === "unavailable" ? failure.retryAfterMs : undefined,
      message: failure.message,
    });
  }

  #task(index: number): Task {
    const task = this.#services.tasks[index];
    if (task === undefined) throw new Error(`no task has the index ${index}`);
    return task;
  }

  #lane(index: number): Lane {
    const name = this.#task(index).backend;
    const lane = this.#lanes.get(name);
    if (lane === undefined) throw new Error(`backend ${name} was not opened`);
    return lane;
  }
}

const refusedFor = (message: string): Outcome => ({
  type: "failed",
  kind: "rejected",
  code: undefined,
  signal: undefined,
  message,
});

/** Of an attempt that is on record, but that its backend has never got. */
const NEVER_STARTED: Outcome = {
  type: "interrupted",
  cause: "lost",
  resumable: true,
  message: "was written down but never started",
};
