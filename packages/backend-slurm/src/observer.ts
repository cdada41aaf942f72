// Follows submitted attempts: one question to the scheduler for all of them, then each one's files.

import { readFileSync } from "node:fs";
import {
  type AttemptKey,
  type Clock,
  type Exit,
  exitWith,
  type Handle,
  type Observation,
  parseAttemptHandle,
} from "@flow/core";
import type { Accounts } from "./accounts.ts";
import {
  type Incarnation,
  lastLine,
  type Membership,
  readIncarnation,
  readMembership,
  readStop,
} from "./attempt/files.ts";
import { type Evidence, judge, SETTLE_MS, type Verdict } from "./attempt/judge.ts";
import { Endings } from "./housekeeping.ts";
import type { Pilots } from "./pilots.ts";
import type { Listing, Queue } from "./queue.ts";
import type { Row } from "./schedulers/scheduler.ts";
import type { Site } from "./site/site.ts";
import { type Place, Steady } from "./steady.ts";

interface Sighting {
  readonly signs: string;
  readonly since: number;
}

export interface ObserverParts {
  readonly queue: Queue;
  readonly clock: Clock;
  /** Where submissions lie here. */
  readonly folder: string;
  readonly pilots: Pilots;
  readonly site: Site;
  readonly accounts: Accounts;
}

export class Observer {
  readonly #queue: Queue;
  readonly #clock: Clock;
  readonly #folder: string;
  readonly #ended = new Map<AttemptKey, Observation>();
  /** The same, by submissions. */
  readonly endings: Endings = new Endings();
  readonly #sightings = new Map<AttemptKey, Sighting>();
  readonly #steady = new Steady();
  /** In the queue of pilots when they were last looked at. */
  readonly #inQueue = new Map<AttemptKey, Place>();
  /** Remembered by the scheduler although no longer listed. */
  readonly #remembered = new Map<string, Row>();

  readonly #pilots: Pilots;
  readonly #site: Site;
  readonly #accounts: Accounts;
  /** What is being brought home, and the trouble with it. */
  readonly #journeys = new Map<AttemptKey, { trouble: string | undefined; done: boolean }>();

  constructor({ queue, clock, folder, pilots, site, accounts }: ObserverParts) {
    this.#pilots = pilots;
    this.#queue = queue;
    this.#clock = clock;
    this.#folder = folder;
    this.#site = site;
    this.#accounts = accounts;
  }

  async observe(
    handles: ReadonlyMap<AttemptKey, Handle>,
  ): Promise<ReadonlyMap<AttemptKey, Observation>> {
    const open = [...handles].filter(([key]) => !this.#ended.has(key));
    const groups = this.#pilotGroups(open);
    await this.#pilots.replenish(groups);
    const listing = open.length === 0 ? "" : await this.#look(open);
    this.#pilots.look(groups);
    await this.#recall(open, listing);
    const found = new Map<AttemptKey, Observation>();
    for (const [key, handle] of handles)
      found.set(key, this.#ended.get(key) ?? (await this.#observe(key, handle, listing)));
    return found;
  }

  /** The list first: what a job that is over has written is there when the files are looked at. */
  async #look(open: readonly (readonly [AttemptKey, Handle])[]): Promise<Listing> {
    const listing = await this.#queue.list();
    const attempts = open.flatMap(([, handle]) => parseAttemptHandle(handle)?.attempt ?? []);
    return (await this.#site.refresh(attempts)) ?? listing;
  }

  /** The job of an attempt, as its scheduler names it; undefined when it has none or that is unknown. */
  async jobId(handle: Handle): Promise<string | undefined> {
    const place = placeOf(handle);
    if (place === undefined) return undefined;
    const { name, index, pilot } = place.membership;
    const listing = await this.#queue.list();
    const rows = typeof listing === "string" ? undefined : listing;
    if (pilot) return this.#pilots.pilotOf(place.membership);
    const row = rows?.member(name, index);
    if (row !== undefined) return row.phase === "ended" ? undefined : row.id;
    return typeof listing === "string" ? this.#recordedId(place.membership) : undefined;
  }

  /** The groups of attempts that wait for pilots or are in their hands. */
  #pilotGroups(open: readonly (readonly [AttemptKey, Handle])[]): ReadonlySet<string> {
    const names = open.flatMap(([key, handle]) => {
      const place = this.#steady.place(key) ?? this.#inQueue.get(key) ?? placeOf(handle);
      const membership = place?.membership;
      return membership?.pilot === true ? [membership.name] : [];
    });
    return new Set(names);
  }

  #recordedId({ name, index }: Membership): string | undefined {
    try {
      const id = readFileSync(`${this.#folder}/${name}/job`, "utf8").trim();
      const members = readFileSync(`${this.#folder}/${name}/index`, "utf8").split("\n").length - 1;
      return members === 1 ? id : `${id}_${index}`;
    } catch {
      return undefined;
    }
  }

  async #observe(key: AttemptKey, handle: Handle, listing: Listing): Promise<Observation> {
    const steady = this.#steadily(key, listing) ?? this.#waiting(key, listing);
    if (steady !== undefined) return steady;
    const place = placeOf(handle);
    if (place === undefined || place.key !== key)
      return { type: "ended", exit: exitWith({ cause: "lost", detail: NO_SUCH_ATTEMPT }) };
    const verdict = this.#judge(key, place, listing);
    if (verdict.type === "vanished") return this.#vanished(key, place);
    if (verdict.type !== "ended") return verdict;
    return this.#accept(key, place, listing, verdict);
  }

  /**
   * Believes an end. While there may still be a job, its next start is fenced first, so that what is
   * recorded as ended never runs again; a start that was faster makes this end that of an old copy.
   */
  async #accept(
    key: AttemptKey,
    place: Place,
    listing: Listing,
    verdict: Verdict & { type: "ended" },
  ): Promise<Observation> {
    const { attempt, membership } = place;
    const row = rowOf(membership, listing);
    const over = membership.pilot || (row !== "unreachable" && row?.phase === "ended");
    const next = (verdict.exit.restarts ?? 0) + 1;
    const fenced = over || (await this.#site.fence(attempt, membership.generation, next));
    if (fenced === undefined) return UNANSWERED;
    if (!fenced) {
      const { startedAt, started } = readIncarnation(attempt, membership.generation, next);
      return { type: "running", since: startedAt, node: started?.host };
    }
    const onItsWay = this.#bringHome(key, attempt, verdict.exit);
    if (onItsWay !== undefined) return onItsWay;
    const unstarted = verdict.exit.cause === "lost" && verdict.exit.startedAt === undefined;
    const said = unstarted ? lastLine(`${this.#folder}/${membership.name}/log`) : undefined;
    const exit = said === undefined ? verdict.exit : { ...verdict.exit, detail: said };
    this.#sightings.delete(key);
    return this.#end(key, place, exit);
  }

  /** What an attempt has made comes home before its end is told; undefined once it has. */
  #bringHome(key: AttemptKey, attempt: string, exit: Exit): Observation | undefined {
    if (this.#site.isShared) return undefined;
    const journey = this.#journeys.get(key);
    if (journey?.done === true) {
      this.#journeys.delete(key);
      if (journey.trouble === undefined) return undefined;
      return { type: "unknown", why: journey.trouble };
    }
    if (journey === undefined) {
      const begun: { trouble: string | undefined; done: boolean } = {
        trouble: undefined,
        done: false,
      };
      this.#journeys.set(key, begun);
      void this.#site.bringHome(attempt, exit.code === 0).then((trouble) => {
        begun.trouble = trouble;
        begun.done = true;
      });
    }
    return { type: "running", since: exit.startedAt, node: exit.node };
  }

  #steadily(key: AttemptKey, listing: Listing): Observation | undefined {
    const place = this.#steady.place(key);
    const row = place && rowOf(place.membership, listing);
    return row === "unreachable" ? undefined : this.#steady.verdict(key, row);
  }

  #waiting(key: AttemptKey, listing: Listing): Observation | undefined {
    const place = this.#inQueue.get(key);
    const waiting = place && this.#pilots.stillWaiting(place.membership, listing);
    if (waiting === undefined) this.#inQueue.delete(key);
    return waiting;
  }

  #judge(key: AttemptKey, place: Place, listing: Listing): Verdict {
    const { attempt, membership } = place;
    if (membership.pilot) {
      const { generation } = membership;
      const incarnation = readIncarnation(attempt, generation, 0);
      const held = incarnation.started === undefined ? this.#pilots.holds(membership) : undefined;
      if (held === "queue") this.#inQueue.set(key, place);
      return this.#pilots.judge(membership, listing, {
        incarnation,
        place: held,
        stop: readStop(attempt),
        unchangedMs: this.#unchangedFor(key, undefined, incarnation, held),
        trouble: typeof listing === "string" ? listing : "",
      });
    }
    const row = rowOf(membership, listing) ?? this.#remembered.get(memberId(membership));
    const restarts = row === undefined || row === "unreachable" ? undefined : row.restarts;
    const { generation } = membership;
    const remembered =
      row !== undefined && row !== "unreachable" && this.#remembered.has(memberId(membership));
    const incarnation = readIncarnation(attempt, generation, remembered ? undefined : restarts);
    if (typeof row === "object" && !remembered) this.#steady.note(key, place, row, incarnation);
    return judge({
      row,
      incarnation,
      stop: readStop(attempt),
      unchangedMs: this.#unchangedFor(key, row, incarnation),
      trouble: typeof listing === "string" ? listing : "",
    });
  }

  #unchangedFor(
    key: AttemptKey,
    row: Evidence["row"],
    incarnation: Incarnation,
    place?: string,
  ): number {
    const { exit, started } = incarnation;
    const state = typeof row === "object" ? `${row.phase} ${row.restarts}` : (row ?? "unlisted");
    const signs = `${state} ${exit !== undefined} ${started !== undefined} ${place}`;
    const now = this.#clock.now();
    const before = this.#sightings.get(key);
    if (before?.signs === signs) return now - before.since;
    this.#sightings.set(key, { signs, since: now });
    return 0;
  }

  #end(key: AttemptKey, { attempt, membership }: Place, exit: Exit): Observation {
    const observation: Observation = { type: "ended", exit };
    this.#ended.set(key, observation);
    this.endings.add(membership);
    if (exit.startedAt !== undefined) this.#accounts.add(attempt, membership);
    return observation;
  }

  /** No job and no start: believed once nobody can start it any more. */
  async #vanished(key: AttemptKey, place: Place): Promise<Observation> {
    const { attempt, membership } = place;
    const stopped = readStop(attempt);
    const fenced = await this.#site.fence(attempt, membership.generation, 0);
    if (fenced === undefined) return UNANSWERED;
    if (!fenced) return { type: "running", since: undefined, node: undefined };
    if (stopped === undefined && membership.pilot && this.#pilots.giveBack(membership, attempt))
      return { type: "queued", why: "its pilot ended before it began" };
    const exit = exitWith({
      stopped,
      cause: stopped === undefined ? "lost" : undefined,
      detail: "its job is gone from the scheduler and had not started",
    });
    return this.#end(key, place, exit);
  }

  /** Asks once what became of jobs that are no longer listed and left no result. */
  async #recall(open: readonly (readonly [AttemptKey, Handle])[], listing: Listing): Promise<void> {
    if (typeof listing === "string") return;
    const missing: Membership[] = [];
    for (const [key, handle] of open) {
      const sighting = this.#sightings.get(key);
      if (sighting?.signs.startsWith("unlisted false") !== true) continue;
      if (this.#clock.now() - sighting.since < SETTLE_MS / 2) continue;
      const place = placeOf(handle);
      if (place !== undefined && !this.#remembered.has(memberId(place.membership)))
        missing.push(place.membership);
    }
    if (missing.length === 0) return;
    const names = new Set(missing.map(({ name }) => name));
    const rows = await this.#queue.history([...names]);
    const ended = rows.filter(({ phase }) => phase === "ended");
    for (const { name, index } of missing) {
      const row =
        ended.find((each) => each.name === name && each.index === index) ??
        ended.find((each) => each.name === name && each.whole === true);
      if (row !== undefined) this.#remembered.set(memberId({ name, index }), row);
    }
  }
}

function placeOf(handle: Handle): Place | undefined {
  const parsed = parseAttemptHandle(handle);
  const membership = parsed && readMembership(parsed.attempt);
  return parsed && membership && { ...parsed, membership };
}

function rowOf({ name, index }: Membership, listing: Listing): Evidence["row"] {
  return typeof listing === "string" ? "unreachable" : listing.member(name, index);
}

const memberId = ({ name, index }: Pick<Membership, "name" | "index">): string =>
  `${name} ${index}`;

const UNANSWERED: Observation = { type: "unknown", why: "the cluster does not answer" };

const NO_SUCH_ATTEMPT = "Its handle names no attempt that was submitted.";
