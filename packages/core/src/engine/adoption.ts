// What an earlier run left behind when it died: attempts that still run are taken into care, those
// that ended meanwhile are settled, those that never started are fenced and forgotten. This happens
// before anything new starts, so that no task ever has two live attempts.

import type { TaskKey } from "../model/ids.ts";
import { type Exit, exitWith } from "../model/outcome.ts";
import type { Task } from "../model/task.ts";
import { type AttemptRecord, lastAttempt, type StoredAttempt } from "../record/attempt-record.ts";
import { fingerprintDigest } from "../trace/fingerprint.ts";
import type { Attendant } from "./attendant.ts";
import type { Lane } from "./lanes.ts";
import type { Services } from "./services.ts";
import { unsettled } from "./starter.ts";

/** Pause before a backend that could not be reached is asked again. */
const ASK_AGAIN_MS = 5000;

type Orphan = StoredAttempt & { readonly record: AttemptRecord };

export class Adoption {
  readonly #services: Services;
  readonly #attendant: Attendant;
  readonly #lanes: ReadonlyMap<string, Lane>;

  constructor(services: Services, attendant: Attendant, lanes: ReadonlyMap<string, Lane>) {
    this.#services = services;
    this.#attendant = attendant;
    this.#lanes = lanes;
  }

  /** Goes through the claims of dead runs. `open` is called before the first claim is taken over. */
  async adopt(open: () => void): Promise<void> {
    const { claims, tasks } = this.#services;
    const orphaned = claims.all().filter(({ run }) => !claims.isLive(run));
    if (orphaned.length === 0) return;
    open();
    const indices = new Map<TaskKey, number>(tasks.map(({ key }, index) => [key, index]));
    for (const { task } of orphaned) {
      if (claims.take(task) !== "orphan") continue;
      const index = indices.get(task);
      const orphan = this.#unfinished(task);
      if (orphan === undefined) claims.release(task);
      else if (index === undefined) await this.#settleStray(orphan);
      else await this.#adopt(index, orphan, "unannounced");
    }
  }

  /**
   * The same for one task whose dead run's claim was met when it was to start. False when the attempt
   * had never started, so that nothing was adopted and the task is free.
   */
  adoptOne(index: number, orphan: Orphan): Promise<boolean> {
    return this.#adopt(index, orphan, "unannounced");
  }

  /** The task's attempt without a result. One that was settled but not released is taken as it is. */
  #unfinished(task: TaskKey): Orphan | undefined {
    const { layout, files, reload } = this.#services;
    const last = lastAttempt(layout, task, files);
    if (last?.result !== undefined) reload(task);
    return unsettled(last);
  }

  /** `told`: whether the machine already counts the attempt as one that may live. */
  async #adopt(index: number, orphan: Orphan, told: "announced" | "unannounced"): Promise<boolean> {
    const { post, warn, tasks, recorder } = this.#services;
    const { record, directory } = orphan;
    const lane = this.#lanes.get(record.backend);
    const task = tasks[index];
    if (lane === undefined || task === undefined) return true;
    const request = { key: record.key, attempt: directory, handle: undefined };
    const found = await lane.backend.reattach([request], new AbortController().signal);
    if (!found.ok) {
      const { message } = found.error;
      warn(`may still run from run ${record.run}: ${message}`, task);
      if (told === "unannounced") {
        recorder.emit({
          type: "task/unknown",
          task: task.id,
          template: task.template,
          why: message,
        });
      }
      this.#later(index, orphan);
      return true;
    }
    const handle = found.value.get(record.key);
    if (handle === undefined && told === "unannounced") {
      await this.#attendant.settleStray(record, directory, NEVER_STARTED);
      return false;
    }
    const outdated = isOutdated(record, task);
    const live = this.#attendant.admit(index, record, directory, { adopted: true, outdated });
    const { serial, requeues, idle } = record;
    post({ type: "attempt/adopted", task: index, serial, requeues, idle });
    if (handle === undefined) {
      this.#attendant.end(live, NEVER_STARTED);
      return true;
    }
    live.handle = handle;
    lane.attach(record.key, handle);
    if (outdated) lane.stop(record.key, "graceful", "user");
    return true;
  }

  /** Shown as unknown until its backend can be asked. */
  #later(index: number, orphan: Orphan): void {
    const { post, clock } = this.#services;
    const { serial, requeues, idle } = orphan.record;
    post({ type: "attempt/adopted", task: index, serial, requeues, idle });
    post({ type: "attempt/unknown", task: index, serial, why: "its backend cannot be asked" });
    clock.after(ASK_AGAIN_MS, () => void this.#adopt(index, orphan, "announced"));
  }

  /** An attempt of a task that this run does not have: settled when it has ended, else left alone. */
  async #settleStray(orphan: Orphan): Promise<void> {
    const { record, directory } = orphan;
    const backend = this.#lanes.get(record.backend)?.backend;
    if (backend === undefined) return;
    const { signal } = new AbortController();
    const request = { key: record.key, attempt: directory, handle: undefined };
    const found = await backend.reattach([request], signal);
    if (!found.ok) return;
    const handle = found.value.get(record.key);
    let exit: Exit | undefined = NEVER_STARTED;
    if (handle !== undefined) {
      const observed = await backend.observe(new Map([[record.key, handle]]), signal);
      const observation = observed.ok ? observed.value.get(record.key) : undefined;
      exit = observation?.type === "ended" ? observation.exit : undefined;
    }
    if (exit === undefined) return;
    await this.#attendant.settleStray(record, directory, exit);
  }
}

/** The tracked values were those of its start; what the file says itself is what can have changed. */
const isOutdated = ({ task }: AttemptRecord, current: Task): boolean =>
  fingerprintDigest(task, {}) !== fingerprintDigest(current, {});

/** The exit of an attempt that was written down but never started. */
const NEVER_STARTED = exitWith({ cause: "lost", detail: "was written down but never started" });
