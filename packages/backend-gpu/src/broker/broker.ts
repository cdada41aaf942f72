// The broker: who may use which GPU, for every flow, tool and user of a machine. It starts no jobs
// and carries no commands; a client can waste GPUs with it, and nothing else.

import { randomUUID } from "node:crypto";
import type { Log } from "@flow/core";
import { Allocator, type Ask } from "../policy/allocator.ts";
import { roomOf } from "../policy/account.ts";
import type { Grant, Settings, Wait } from "../policy/model.ts";
import type { EndReport, Verdict } from "../policy/verdict.ts";
import type { Reader } from "../reader/reader.ts";
import { explain } from "./explain.ts";
import { type JournalledLease, LeaseJournal } from "./journal.ts";
import type { AcquireMessage, BrokerMessage, ClientMessage } from "./messages.ts";
import { PROTOCOL } from "./messages.ts";
import { type Holder, isMarkOf, type Processes } from "./processes.ts";
import { exportRows, readBook, rowOf, writeBook } from "./profile-file.ts";
import { askOf, impossible, outOfMemoryOf, refusal, verdictMessage } from "./request.ts";
import { Sampler } from "./sampler.ts";
import { statusOf } from "./status.ts";

/** One client's connection, as the broker sees it. */
export interface Peer {
  readonly user: string;
  /** Of the process that connected; undefined where the kernel does not tell. */
  readonly pid: number | undefined;
  /** May drain cards and stop the broker. */
  readonly isOwner: boolean;
  send(message: BrokerMessage): void;
}

export interface BrokerOptions {
  readonly reader: Reader;
  readonly settings: Settings;
  readonly processes: Processes;
  /** Folder of journal and profiles. */
  readonly state: string;
  readonly boot: string;
  readonly log: Log;
  readonly now: () => number;
  /** Somebody asked the broker to end. */
  readonly stop: () => void;
}

/** Open leases and waiting requests one user may have. */
const MOST_LEASES = 1000;
const MOST_QUEUED = 2000;

export interface Held {
  readonly id: string;
  readonly ask: Ask;
  readonly secret: string;
  readonly user: string;
  /** The process that uses the GPU itself; undefined where those it starts do. */
  readonly holder: Holder | undefined;
  /** Taken over from an earlier broker: it lives as long as its holder, whose connection is lost. */
  readonly isAdopted: boolean;
  /** Connections that hold it; empty: only its holder or processes that carry its mark do. */
  readonly peers: Set<Peer>;
}

export interface Queued {
  readonly peer: Peer;
  readonly ask: Ask;
  /** The client's process itself will be the job. */
  readonly isHolder: boolean;
  /** When this attempt asked; an earlier one may have asked before. */
  readonly askedAt: number;
  why: string;
  position: number;
}

export class Broker {
  readonly allocator: Allocator;
  readonly sampler: Sampler;
  readonly held: Map<string, Held> = new Map();
  readonly queued: Map<string, Queued> = new Map();
  readonly #options: BrokerOptions;
  readonly #journal: LeaseJournal;
  readonly #profilePath: string;
  #passing = false;
  #isClosed = false;
  #waits: readonly Wait[] = [];
  #savedVersion: number;
  /** Since when nobody holds or wants anything. */
  idleSince: number;

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#profilePath = `${options.state}/profiles.jsonl`;
    const book = readBook(this.#profilePath);
    this.#savedVersion = book.version;
    this.allocator = new Allocator(options.settings, book);
    this.sampler = new Sampler(options.reader, this.allocator, options.processes);
    this.sampler.publish();
    this.#journal = new LeaseJournal(`${options.state}/leases.jsonl`, options.boot);
    this.idleSince = options.now();
    this.#restore();
  }

  get source(): string {
    return this.#options.reader.source;
  }

  get now(): number {
    return this.#options.now();
  }

  /** Whether anything needs watching closely: a job whose memory is still growing. */
  get isWarming(): boolean {
    return this.allocator.leases.some(({ cold }) => cold);
  }

  /** Writes down what was learned. Leases go on; what comes later is left to the next broker. */
  close(): void {
    this.save();
    this.#isClosed = true;
    this.#journal.close();
  }

  receive(peer: Peer, message: ClientMessage): void {
    if (this.#isClosed) return;
    const answer = this.#answer(peer, message);
    if (answer !== undefined) peer.send(answer);
  }

  /** A connection has closed in all processes that had it. */
  left(peer: Peer): void {
    if (this.#isClosed) return;
    for (const [id, queued] of this.queued)
      if (queued.peer === peer) {
        this.queued.delete(id);
        this.allocator.withdraw(id);
        this.#schedule();
      }
    const dropped = [...this.held.values()].filter(({ peers }) => peers.delete(peer));
    const open = dropped.filter(({ peers }) => peers.size === 0);
    if (open.length > 0) this.#sweep(open);
  }

  /** Reads the GPUs once; ends leases whose last process has gone. */
  async look(): Promise<void> {
    const news = await this.sampler.look(this.#options.now);
    if (this.#isClosed) return;
    const orphans = [...this.held.values()].filter(({ peers }) => peers.size === 0);
    if (orphans.length > 0) this.#sweep(orphans);
    if (news) this.#schedule();
    this.save();
  }

  /** Decides again although nothing happened: time alone may give somebody a turn. */
  again(): void {
    if (this.queued.size > 0) this.#schedule();
  }

  /** Writes the profiles when they have changed. */
  save(): void {
    const { version } = this.allocator.book;
    if (version === this.#savedVersion) return;
    this.#savedVersion = version;
    writeBook(this.#profilePath, this.allocator.book);
  }

  #answer(peer: Peer, message: ClientMessage): BrokerMessage | undefined {
    switch (message.m) {
      case "acquire":
        return this.#acquire(peer, message);
      case "release":
        return this.#release(peer, message);
      case "rebind":
        return this.#rebind(peer, message.lease, message.secret);
      case "status":
        return { m: "status", ...statusOf(this, process.pid) };
      case "profile":
        return this.#profile(peer, message);
      case "drain":
        return this.#drain(peer, message.gpu, message.on);
      case "stop":
        if (!peer.isOwner) return refusal("DENIED", "Only the broker's own user may stop it.");
        setImmediate(this.#options.stop);
        return { m: "done" };
      default:
        return message satisfies never;
    }
  }

  #acquire(peer: Peer, message: AcquireMessage): BrokerMessage | undefined {
    const { user } = peer;
    const ofUser = (all: Iterable<{ readonly ask: Ask }>): number =>
      [...all].filter(({ ask }) => ask.user === user).length;
    if (ofUser(this.held.values()) >= MOST_LEASES)
      return refusal("BUSY", `${user} already has ${MOST_LEASES} leases.`);
    if (ofUser(this.queued.values()) >= MOST_QUEUED)
      return refusal("BUSY", `${MOST_QUEUED} requests of ${user} are already waiting.`);
    // 48 random bits are enough to tell leases apart; a secret has 122.
    const id = randomUUID().slice(-12);
    const among = message.among && this.#ids(message.among);
    const now = this.#options.now();
    const ask = askOf(message, { id, user, since: now - (message.sinceFirstMs ?? 0), among });
    const refused =
      message.proto === PROTOCOL
        ? impossible(ask, this.allocator.cards, this.allocator.settings)
        : refusal(
            "VERSION",
            `This broker speaks version ${PROTOCOL}, not ${message.proto}; run \`flow gpu stop\` when its jobs are done.`,
          );
    if (refused !== undefined) return refused;
    this.allocator.ask(ask);
    const isHolder = message.inProcess === true;
    this.queued.set(ask.id, { peer, ask, isHolder, askedAt: now, why: "", position: 0 });
    this.#schedule();
    return undefined;
  }

  /** GPUs may be named by index or UUID. */
  #ids(names: readonly string[]): readonly string[] {
    return this.sampler.gpus
      .filter(({ id, index }) => names.includes(id) || names.includes(String(index)))
      .map(({ id }) => id);
  }

  #release(peer: Peer, message: ClientMessage & { m: "release" }): BrokerMessage {
    const held = this.held.get(message.lease);
    if (held === undefined || !held.peers.has(peer))
      return refusal("DENIED", "This connection holds no such lease.");
    const peakBytes = this.allocator.leases.find(({ id }) => id === held.id)?.observedBytes ?? 0;
    const verdict = this.#end(held, {
      succeeded: message.succeeded,
      outOfMemory: message.outOfMemory && outOfMemoryOf(message.outOfMemory),
      peakBytes: message.peakBytes,
    });
    this.#schedule();
    return { m: "released", verdict: verdictMessage(verdict, peakBytes) };
  }

  #rebind(peer: Peer, id: string, secret: string): BrokerMessage {
    const held = this.held.get(id);
    if (held === undefined || held.secret !== secret || held.user !== peer.user)
      return refusal("DENIED", "There is no such lease, or it is another's.");
    held.peers.add(peer);
    return { m: "rebound" };
  }

  #profile(peer: Peer, { forget, add }: ClientMessage & { m: "profile" }): BrokerMessage {
    const { book } = this.allocator;
    if ((forget !== undefined || add !== undefined) && !peer.isOwner)
      return refusal("DENIED", "Only the broker's own user may change profiles.");
    if (forget !== undefined) book.forget(forget);
    for (const line of add ?? []) {
      const row = rowOf(line);
      if (row !== undefined) book.put(...row);
    }
    this.save();
    return { m: "profile", rows: exportRows(book) };
  }

  #drain(peer: Peer, name: string, on: boolean): BrokerMessage {
    if (!peer.isOwner) return refusal("DENIED", "Only the broker's own user may drain GPUs.");
    const ids = this.#ids([name]);
    if (ids.length === 0) return refusal("NO_GPU", `There is no GPU \`${name}\`.`);
    for (const id of ids) {
      if (on) this.sampler.drained.add(id);
      else this.sampler.drained.delete(id);
    }
    this.sampler.publish();
    this.#schedule();
    return { m: "done" };
  }

  /** Ends those of these leases that no living process carries. */
  #sweep(leases: readonly Held[]): void {
    const { processes } = this.#options;
    const marks = processes.marks();
    const isHeld = ({ holder, isAdopted }: Held): boolean =>
      isAdopted && holder !== undefined && processes.holderOf(holder.pid)?.start === holder.start;
    for (const held of leases)
      if (!isHeld(held) && !marks.some((mark) => isMarkOf(mark, held)))
        this.#end(held, { succeeded: false, outOfMemory: undefined, peakBytes: undefined });
    this.#schedule();
  }

  #end(held: Held, report: EndReport): Verdict {
    this.held.delete(held.id);
    for (const [pid, lease] of this.sampler.holders)
      if (lease === held.id) this.sampler.holders.delete(pid);
    const verdict = this.allocator.end(held.id, report, this.#options.now());
    this.#journal.closed(held.id, () => this.#entries());
    return verdict;
  }

  /** Decides soon; what arrives together is decided together. */
  #schedule(): void {
    if (this.#passing) return;
    this.#passing = true;
    setImmediate(() => {
      this.#passing = false;
      this.#pass();
    });
  }

  #pass(): void {
    if (this.#isClosed) return;
    const now = this.#options.now();
    const { grants, waits } = this.allocator.pass(now);
    for (const grant of grants) this.#grant(grant);
    this.#waits = waits;
    for (const wait of waits) {
      const queued = this.queued.get(wait.id);
      if (queued === undefined) continue;
      const isNew = queued.position === 0;
      queued.position = wait.position;
      if (isNew) this.#tell(queued, wait);
    }
    if (this.held.size + this.queued.size > 0) this.idleSince = now;
  }

  #grant(grant: Grant): void {
    const queued = this.queued.get(grant.id);
    const lease = this.allocator.leases.find(({ id }) => id === grant.id);
    if (queued === undefined || lease === undefined) return;
    this.queued.delete(grant.id);
    const { peer, ask } = queued;
    const holder =
      queued.isHolder && peer.pid !== undefined
        ? this.#options.processes.holderOf(peer.pid)
        : undefined;
    const secret = randomUUID();
    this.#hold({ lease, ask, secret, holder }, peer);
    this.#journal.granted({ lease, ask, secret, holder });
    const cards = this.sampler.gpus.filter(({ id }) => grant.cards.includes(id));
    peer.send({
      m: "granted",
      lease: grant.id,
      secret,
      cards: cards.map(({ id, index }) => ({ id, index })),
      bytes: roomOf(lease, this.allocator.cards, this.allocator.settings),
      cold: lease.cold,
    });
  }

  /** Tells everybody who waits why, where that has changed. */
  tellWaiting(): void {
    for (const wait of this.#waits) {
      const queued = this.queued.get(wait.id);
      if (queued !== undefined) this.#tell(queued, wait);
    }
  }

  #tell(queued: Queued, wait: Wait): void {
    const why = explain(wait);
    if (why === queued.why) return;
    queued.why = why;
    queued.peer.send({ m: "queued", position: wait.position, why });
  }

  #restore(): void {
    for (const entry of this.#journal.open()) {
      // Times of another process's clock mean nothing here.
      this.allocator.restore(entry.ask, { ...entry.lease, startedAt: this.#options.now() });
      this.#hold(entry, undefined);
    }
    this.#sweep([...this.held.values()]);
  }

  /** Notes who holds a lease. Without a peer it is one of an earlier broker. */
  #hold({ lease: { id }, ask, secret, holder }: JournalledLease, peer: Peer | undefined): void {
    if (holder !== undefined) this.sampler.holders.set(holder.pid, id);
    this.held.set(id, {
      id,
      ask,
      secret,
      user: ask.user,
      holder,
      isAdopted: peer === undefined,
      peers: new Set(peer === undefined ? [] : [peer]),
    });
  }

  #entries(): JournalledLease[] {
    return this.allocator.leases.flatMap((lease) => {
      const held = this.held.get(lease.id);
      if (held === undefined) return [];
      const { ask, secret, holder } = held;
      return [{ lease, ask, secret, holder }];
    });
  }
}
