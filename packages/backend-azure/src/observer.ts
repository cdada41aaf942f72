// What is known of attempts: one list of tasks per job and question, a second look at single tasks
// whose state seems to have gone back, and the collection of what has ended.

import {
  type AttemptKey,
  type AttemptPlace,
  type BackendFailure,
  type Clock,
  type Exit,
  err,
  exitWith,
  type Handle,
  type Observation,
  ok,
  parseAttemptHandle,
  type Result,
} from "@flow/core";
import type { Collector } from "./attempt/collector.ts";
import { firstLife, type Membership, readExit, readMembership, readStop } from "./attempt/files.ts";
import { judge } from "./attempt/judge.ts";
import type { Mirror } from "./attempt/mirror.ts";
import { each } from "./each.ts";
import { taskId } from "./naming.ts";
import type { BatchPort, TaskRow } from "./service/batch-port.ts";
import { explainError } from "./service/explain.ts";
import type { Retry } from "./service/retry.ts";
import { hasCode } from "./service/service-error.ts";
import type { Reason, Waiting } from "./waiting.ts";

/** Ends collected in answer to one question, and how many at once. */
const MOST_ENDS = 64;
const AT_ONCE = 8;

/** A question that fails is asked again at the next interval anyway. */
const TRIES = 2;

/** A stop that the node has not heeded after its grace and this long is done by the service. */
const UNHEEDED_MS = 60_000;

export interface ObserverParts {
  readonly batch: BatchPort;
  readonly retry: Retry;
  readonly clock: Clock;
  readonly collector: Collector;
  readonly mirror: Mirror;
  readonly waiting: Waiting;
}

type Watched = AttemptPlace & { readonly membership: Membership };
type Rows = ReadonlyMap<string, TaskRow>;

export class Observer {
  readonly #parts: ObserverParts;
  /** Ends that this process has reported. */
  readonly #exits = new Map<string, Exit>();

  constructor(parts: ObserverParts) {
    this.#parts = parts;
  }

  async observe(
    handles: ReadonlyMap<AttemptKey, Handle>,
    signal: AbortSignal,
  ): Promise<Result<ReadonlyMap<AttemptKey, Observation>, BackendFailure>> {
    const found = new Map<AttemptKey, Observation>();
    const jobs = new Map<string, Watched[]>();
    for (const [key, handle] of handles) {
      const place = parseAttemptHandle(handle);
      const exit = place && this.#exit(place);
      const membership = place && readMembership(place.attempt);
      if (exit !== undefined) found.set(key, { type: "ended", exit });
      else if (place === undefined || membership === undefined)
        found.set(key, { type: "ended", exit: UNKNOWN_HANDLE });
      else
        jobs.set(membership.job, [...(jobs.get(membership.job) ?? []), { ...place, membership }]);
    }
    for (const [job, watched] of jobs) await this.#observeJob(job, watched, found, signal);
    return ok(found);
  }

  /** What is known on this machine; asks nobody. */
  #exit(place: AttemptPlace): Exit | undefined {
    const known = this.#exits.get(place.attempt) ?? readExit(place.attempt);
    if (known !== undefined) this.#exits.set(place.attempt, known);
    return known;
  }

  async #observeJob(
    job: string,
    watched: readonly Watched[],
    found: Map<AttemptKey, Observation>,
    signal: AbortSignal,
  ): Promise<void> {
    const rows = await this.#rows(job, signal);
    if (!rows.ok) {
      for (const { key } of watched) found.set(key, { type: "unknown", why: rows.error });
      return;
    }
    const running: Watched[] = [];
    const ends: { readonly place: Watched; readonly end: () => Promise<Exit> }[] = [];
    const queued = queuedFor(this.#parts.waiting.reason(job));
    for (const place of watched) {
      const answer = await this.#look(place, rows.value, signal);
      if (!("end" in answer) && answer.type === "queued" && this.#parts.waiting.isOver(job)) {
        const row = rows.value.get(taskId(place.key));
        ends.push({ place, end: () => this.#parts.collector.completed(place, row) });
      } else if ("end" in answer) ends.push({ place, end: answer.end });
      else if (answer.type === "queued") found.set(place.key, queued);
      else found.set(place.key, answer);
      if (!("end" in answer) && answer.type === "running") running.push(place);
    }
    const waits = watched.length > running.length + ends.length;
    if (waits) this.#parts.waiting.look(job, rows.value, signal);
    const mirrored = this.#parts.mirror.look(running);
    await each(ends.slice(0, MOST_ENDS), AT_ONCE, async ({ place, end }) => {
      found.set(place.key, await this.#ended(place, end));
    });
    for (const { place } of ends.slice(MOST_ENDS)) found.set(place.key, RUNNING);
    await mirrored;
  }

  async #ended(place: AttemptPlace, end: () => Promise<Exit>): Promise<Observation> {
    try {
      const exit = await end();
      this.#exits.set(place.attempt, exit);
      return { type: "ended", exit };
    } catch (error) {
      // It has ended, but what it left cannot be had yet: its disk or ours may refuse for a while.
      return { type: "unknown", why: `cannot bring back what it left: ${explainError(error)}` };
    }
  }

  async #look(
    place: Watched,
    rows: Rows,
    signal: AbortSignal,
  ): Promise<Observation | { readonly end: () => Promise<Exit> }> {
    const { batch, collector, retry } = this.#parts;
    const id = taskId(place.key);
    const life = firstLife(place.attempt, undefined);
    let row = rows.get(id);
    let verdict = judge({ row, sure: false, life });
    if (verdict.type === "ask") {
      try {
        row = await retry.call(() => batch.task(place.membership.job, id), signal);
      } catch (error) {
        return { type: "unknown", why: explainError(error) };
      }
      verdict = judge({ row, sure: true, life });
    }
    switch (verdict.type) {
      case "queued":
        return { type: "queued", why: undefined };
      case "running": {
        if (verdict.life !== undefined) firstLife(place.attempt, verdict.life);
        await this.#hurry(place);
        return { type: "running", since: row?.startedAt, node: row?.node };
      }
      case "displaced":
        return {
          end: async () => {
            await this.#terminate(place);
            return collector.displaced(place);
          },
        };
      default:
        return { end: () => collector.completed(place, row) };
    }
  }

  /** Ends a task whose node does not heed a stop request. */
  async #hurry(place: Watched): Promise<void> {
    const stop = readStop(place.attempt);
    if (stop === undefined) return;
    const patience = UNHEEDED_MS + (stop.kill ? 0 : place.membership.graceMs);
    if (this.#parts.clock.wall() - stop.at > patience) await this.#terminate(place);
  }

  async #terminate({ key, membership }: Watched): Promise<void> {
    const { batch, retry } = this.#parts;
    try {
      await retry.call(() => batch.terminateTask(membership.job, taskId(key)));
    } catch (error) {
      if (!hasCode(error, "TaskCompleted", "TaskNotFound", "JobNotFound")) throw error;
    }
  }

  /** A job that is gone has no tasks. */
  async #rows(job: string, signal: AbortSignal): Promise<Result<Rows, string>> {
    const { batch, retry } = this.#parts;
    try {
      const rows = await retry.call(() => batch.tasks(job), signal, TRIES);
      return ok(new Map(rows.map((row) => [row.id.toLowerCase(), row])));
    } catch (error) {
      if (hasCode(error, "JobNotFound")) return ok(new Map());
      return err(explainError(error));
    }
  }
}

const queuedFor = (reason: Reason | undefined): Observation => ({
  type: "queued",
  why: reason?.why,
  ...(reason?.stuck === true ? { stuck: true } : {}),
});

const RUNNING: Observation = { type: "running", since: undefined, node: undefined };

const UNKNOWN_HANDLE: Exit = exitWith({
  cause: "lost",
  detail: "nothing on this machine tells which task of Azure Batch it was",
});
