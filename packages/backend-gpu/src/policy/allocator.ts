// The cards' book-keeper: requests come in, measurements come in, leases come and go. It owns the
// state between decisions; deciding is `place`. No clock and no I/O: every call brings its time.

import {
  GIB,
  type Card,
  type Decision,
  type Grant,
  type Lease,
  type Need,
  type Settings,
  type Waiting,
} from "./model.ts";
import { usableBytes } from "./account.ts";
import { place } from "./place.ts";
import { earlyReservation, type Identity, type ProfileBook, type SampleSource } from "./profile.ts";
import { blame, type EndReport, type Verdict } from "./verdict.ts";

/** A request as it arrives; what it needs is found out when cards are given. */
export interface Ask extends Omit<Waiting, "need" | "kind"> {
  readonly identity: Identity;
  readonly declaredBytes: number | undefined;
  readonly declaredLoad: number | undefined;
  /** At least this much, as its own earlier attempts showed. */
  readonly floorBytes: number;
}

/** One reading of a lease. */
export interface Reading {
  /** Bytes on its fullest card; absent where processes cannot be told apart. */
  readonly bytes: number;
  readonly load: number | undefined;
  readonly source: SampleSource;
}

/** Memory that has not grown for this long is steady. */
const STEADY_MS = 20_000;
/** A job that has taken memory and then rested so long has shown what it takes at first. */
const SETTLED_MS = 3000;
/** Longest that others wait to see what an unknown job takes at first. */
const SETTLING_MS = 60_000;
/** Growth below this is noise. */
const NOISE_BYTES: number = GIB / 64;
/** Weight of a new reading of the load. */
const SMOOTHING = 0.3;

interface Entry {
  readonly ask: Ask;
  lease: Lease;
  /** When its memory last grew; absent before it took any. */
  grownAt: number | undefined;
  /** What it held then. */
  grownBytes: number;
  /** What it held when it first was steady. */
  steadyBytes: number | undefined;
  load: number | undefined;
  source: SampleSource;
}

interface Queued {
  readonly ask: Ask;
  waiting: Waiting | undefined;
  /** Of the book when `waiting` was found out. */
  version: number;
}

export class Allocator {
  readonly settings: Settings;
  readonly book: ProfileBook;
  #cards: readonly Card[] = [];
  /** No guess is larger: a margin must not make a job that fits wait for ever. */
  #largestBytes = 0;
  readonly #queue = new Map<string, Queued>();
  readonly #entries = new Map<string, Entry>();
  readonly #usage = new Map<string, number>();

  constructor(settings: Settings, book: ProfileBook) {
    this.settings = settings;
    this.book = book;
  }

  get cards(): readonly Card[] {
    return this.#cards;
  }

  set cards(cards: readonly Card[]) {
    this.#cards = cards;
    const largestBytes = Math.max(0, ...cards.map((card) => usableBytes(card, this.settings)));
    if (largestBytes === this.#largestBytes) return;
    this.#largestBytes = largestBytes;
    for (const queued of this.#queue.values()) queued.waiting = undefined;
  }

  get leases(): readonly Lease[] {
    return [...this.#entries.values()].map(({ lease }) => lease);
  }

  get waiting(): number {
    return this.#queue.size;
  }

  ask(ask: Ask): void {
    this.#queue.set(ask.id, { ask, waiting: undefined, version: -1 });
  }

  withdraw(id: string): void {
    this.#queue.delete(id);
  }

  /** Gives out what can be given out now. Grants have become leases when it returns. */
  pass(now: number): Decision {
    if (this.#queue.size === 0) return { grants: [], waits: [] };
    const decision = place({
      cards: this.#cards,
      leases: this.leases,
      queue: this.#resolved(),
      usage: this.#usage,
      settings: this.settings,
      now,
    });
    for (const grant of decision.grants) this.#take(grant, now);
    return decision;
  }

  /** Takes a lease back that was given before a restart. */
  restore(ask: Ask, lease: Lease): void {
    this.#entries.set(lease.id, entryOf(ask, lease));
  }

  /** What was seen of a lease. True when somebody who waits may fit now. */
  observe(id: string, reading: Reading, now: number): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    const { lease, ask } = entry;
    entry.source = reading.source;
    const grown = reading.bytes > entry.grownBytes + NOISE_BYTES;
    if (grown) {
      entry.grownAt = now;
      entry.grownBytes = reading.bytes;
    }
    if (reading.load !== undefined && entry.grownAt !== undefined)
      entry.load =
        entry.load === undefined
          ? reading.load
          : entry.load + SMOOTHING * (reading.load - entry.load);
    const observedBytes = Math.max(lease.observedBytes, reading.bytes);
    const rested = entry.grownAt !== undefined && now - entry.grownAt >= SETTLED_MS;
    const settling = lease.settling && !rested && now - lease.startedAt < SETTLING_MS;
    entry.lease = { ...lease, observedBytes, settling, load: entry.load ?? lease.load };
    if (grown && !lease.cold && observedBytes > lease.reservedBytes)
      this.book.foresee(ask.identity, observedBytes, entry.load);
    if (entry.grownAt === undefined || now - entry.grownAt < STEADY_MS)
      return settling !== lease.settling;
    entry.steadyBytes ??= observedBytes;
    if (!lease.cold) return this.#revise(entry, entry.steadyBytes, now);
    this.book.foresee(ask.identity, observedBytes, entry.load);
    const reservedBytes = Math.round(earlyReservation(observedBytes));
    entry.lease = {
      ...entry.lease,
      cold: false,
      settling: false,
      reservedBytes,
      likelyBytes: reservedBytes,
    };
    return true;
  }

  /** A learned reservation follows what the job shows of itself. True when it became smaller. */
  #revise(entry: Entry, steadyBytes: number, now: number): boolean {
    const { ask, lease } = entry;
    if (ask.declaredBytes !== undefined || ask.fraction !== undefined || ask.alone) return false;
    const { observedBytes, startedAt } = lease;
    const course = { observedBytes, steadyBytes, ageMs: now - startedAt };
    const foretold = this.book.foretell(ask.identity, course);
    if (foretold === undefined) return false;
    const reservedBytes = Math.round(Math.min(foretold, this.#largestBytes));
    entry.lease = { ...lease, reservedBytes, likelyBytes: reservedBytes };
    return reservedBytes < lease.reservedBytes;
  }

  /** A lease has ended. What it used becomes knowledge, and its end is judged. */
  end(id: string, report: EndReport, now: number): Verdict {
    const entry = this.#entries.get(id);
    if (entry === undefined) return { type: "ok" };
    this.#entries.delete(id);
    const { lease, ask } = entry;
    const hours = ((now - lease.startedAt) * lease.cards.length) / 3_600_000;
    this.#usage.set(lease.user, (this.#usage.get(lease.user) ?? 0) + hours);
    const peakBytes = Math.max(lease.observedBytes, report.peakBytes ?? 0);
    if (report.succeeded && peakBytes > 0)
      this.book.learn(ask.identity, {
        peakBytes,
        load: entry.load,
        durationMs: Math.round(now - lease.startedAt),
        steadyBytes: entry.steadyBytes,
        peakAfterMs: entry.grownAt && Math.round(entry.grownAt - lease.startedAt),
        source: report.peakBytes === undefined ? entry.source : "in-process",
        params: ask.identity.params,
      });
    const neighbours = this.leases.filter(({ cards }) =>
      cards.some((card) => lease.cards.includes(card)),
    );
    const verdict = blame(lease, report, neighbours);
    if (verdict.type === "oom-self") this.book.raise(ask.identity, verdict.bytes);
    if (verdict.type === "crowded-out")
      for (const neighbour of verdict.by) {
        const other = this.#entries.get(neighbour);
        if (other !== undefined) this.book.raise(other.ask.identity, other.lease.observedBytes);
      }
    return verdict;
  }

  #take(grant: Grant, now: number): void {
    const queued = this.#queue.get(grant.id);
    if (queued === undefined) return;
    this.#queue.delete(grant.id);
    const { ask } = queued;
    const { durationMs } = queued.waiting?.need ?? this.#need(ask);
    this.#entries.set(
      grant.id,
      entryOf(ask, {
        id: grant.id,
        label: ask.label,
        user: ask.user,
        cards: grant.cards,
        reservedBytes: grant.reservedBytes,
        likelyBytes: grant.likelyBytes,
        observedBytes: 0,
        load: grant.load,
        cold: grant.cold,
        settling: grant.cold,
        alone: ask.alone,
        startedAt: now,
        durationMs,
        kind: kindOf(ask),
      }),
    );
  }

  /** The queue with what each is expected to need, looked up again only when something was learned. */
  #resolved(): readonly Waiting[] {
    const { version } = this.book;
    const resolved: Waiting[] = [];
    for (const queued of this.#queue.values()) {
      if (queued.waiting === undefined || queued.version !== version) {
        const need = this.#need(queued.ask);
        // The same object as long as the same is needed: what is known of it stays known.
        if (queued.waiting === undefined || !isSameNeed(need, queued.waiting.need))
          queued.waiting = waitingOf(queued.ask, need);
        queued.version = version;
      }
      resolved.push(queued.waiting);
    }
    return resolved;
  }

  #need({ identity, declaredBytes, declaredLoad, floorBytes }: Ask): Waiting["need"] {
    const learned = this.book.estimate(identity);
    const guess = Math.min(Math.max(learned.bytes ?? 0, floorBytes), this.#largestBytes);
    const bytes = Math.max(declaredBytes ?? 0, guess);
    return {
      bytes: bytes > 0 ? bytes : undefined,
      likelyBytes: Math.min(
        bytes,
        Math.max(declaredBytes ?? 0, floorBytes, learned.likelyBytes ?? 0),
      ),
      load: declaredLoad ?? learned.load,
      durationMs: learned.durationMs,
      source: (learned.bytes ?? 0) < (declaredBytes ?? 0) ? "declared" : learned.source,
    };
  }
}

/** Field by field: copies made by spreading differ in layout, which makes a long queue slow to read. */
const waitingOf = (ask: Ask, need: Need): Waiting => ({
  id: ask.id,
  label: ask.label,
  user: ask.user,
  since: ask.since,
  priority: ask.priority,
  weightMs: ask.weightMs,
  count: ask.count,
  fraction: ask.fraction,
  alone: ask.alone,
  model: ask.model,
  linked: ask.linked,
  among: ask.among,
  kind: kindOf(ask),
  need,
});

const kindOf = ({ identity }: Ask): string => identity.keys.at(-1) ?? "";

const isSameNeed = (a: Need, b: Need): boolean =>
  a.bytes === b.bytes &&
  a.likelyBytes === b.likelyBytes &&
  a.load === b.load &&
  a.durationMs === b.durationMs &&
  a.source === b.source;

const entryOf = (ask: Ask, lease: Lease): Entry => ({
  ask,
  lease,
  grownAt: undefined,
  grownBytes: 0,
  steadyBytes: undefined,
  load: undefined,
  source: "process",
});
