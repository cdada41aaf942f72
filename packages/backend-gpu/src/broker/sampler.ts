// Turns readings of the GPUs into what the policy knows: what each lease holds, what strangers hold,
// which cards take jobs.

import type { Allocator } from "../policy/allocator.ts";
import type { Card, Lease } from "../policy/model.ts";
import type { SampleSource } from "../policy/profile.ts";
import { cardOf, type Gpu, type GpuReading, type Reader } from "../reader/reader.ts";
import { isMarkOf, type Processes } from "./processes.ts";

/** How long the most that strangers held counts as theirs. */
const HIGH_WATER_MS = 10 * 60_000;
/** The same once none of them is left: one that is started again soon finds its memory kept. */
const GONE_MS = 60_000;
/** Change of foreign memory that is worth a new look at the queue. */
const NEWS_BYTES: number = 256 * 2 ** 20;

/** How far above a process its holder is looked for. */
const GENERATIONS = 8;

interface Seen {
  reading: GpuReading | undefined;
  foreign: { readonly bytes: number; readonly at: number }[];
  who: string | undefined;
  /** Memory in use that is no lease's, as far as was last seen; for when processes cannot be told apart. */
  baselineBytes: number;
  attributed: boolean;
  /** Leases of the processes that were seen to live, as long as the driver lists them. */
  pids: ReadonlyMap<number, string | undefined>;
  /** Memory in use at the last look that no listed process holds: a desktop's, or everything on WSL. */
  unlistedBytes: number;
  /** The same when no lease was on the card. */
  quietBytes: number;
}

/** A process on a card. */
interface Listed {
  readonly pid: number;
  readonly bytes: number | undefined;
  /** False also for one of another namespace. */
  readonly lives: boolean;
  readonly lease: string | undefined;
}

export class Sampler {
  readonly #reader: Reader;
  readonly #allocator: Allocator;
  readonly #processes: Processes;
  readonly #seen: Map<string, Seen>;
  /** Leases of processes that asked for themselves, by pid. */
  readonly holders: Map<number, string> = new Map();
  /** Cards a person has taken out of service. */
  readonly drained: Set<string> = new Set();

  constructor(reader: Reader, allocator: Allocator, processes: Processes) {
    this.#reader = reader;
    this.#allocator = allocator;
    this.#processes = processes;
    this.#seen = new Map(
      reader.gpus.map(({ id }): [string, Seen] => [
        id,
        {
          reading: undefined,
          foreign: [],
          who: undefined,
          baselineBytes: 0,
          attributed: true,
          pids: new Map(),
          unlistedBytes: Infinity,
          quietBytes: 0,
        },
      ]),
    );
  }

  get gpus(): readonly Gpu[] {
    return this.#reader.gpus;
  }

  reading(id: string): GpuReading | undefined {
    return this.#seen.get(id)?.reading;
  }

  /** Looks once. True when somebody who waits may fit now. */
  async look(now: () => number): Promise<boolean> {
    const readings = await this.#reader.read();
    const at = now();
    let news = false;
    const held = new Map<
      string,
      { bytes: number; load: number | undefined; source: SampleSource }
    >();
    for (const reading of readings) {
      const seen = this.#seen.get(reading.id);
      if (seen === undefined) continue;
      const lostBefore = seen.reading?.lost;
      seen.reading = reading;
      const before = highest(seen);
      this.#attribute(reading, seen, held, at);
      news ||= Math.abs(highest(seen) - before) > NEWS_BYTES || reading.lost !== lostBefore;
    }
    for (const { id } of this.#allocator.leases) {
      const reading = held.get(id) ?? { bytes: 0, load: undefined, source: "process" as const };
      news = this.#allocator.observe(id, reading, at) || news;
    }
    this.publish();
    return news;
  }

  /** Tells the policy what the cards are now. */
  publish(): void {
    this.#allocator.cards = this.gpus.map((gpu) => this.#card(gpu));
  }

  #attribute(
    reading: GpuReading,
    seen: Seen,
    held: Map<string, { bytes: number; load: number | undefined; source: SampleSource }>,
    at: number,
  ): void {
    const leases = this.#allocator.leases.filter(({ cards }) => cards.includes(reading.id));
    const tell = (id: string, bytes: number, source: SampleSource): void => {
      const before = held.get(id);
      const load = loadOf(reading, leases.length);
      held.set(id, {
        bytes: Math.max(bytes, before?.bytes ?? 0),
        load: load ?? before?.load,
        source,
      });
    };
    const ids = new Set(leases.map(({ id }) => id));
    const processes = this.#listed(reading, seen, leases);
    const listedBytes = (processes ?? []).reduce((sum, { bytes = 0 }) => sum + bytes, 0);
    const unlistedBytes = Math.max(0, (reading.usedBytes ?? 0) - listedBytes);
    // What is seen once may be a moment between two calls of the driver.
    const steadyBytes = Math.min(unlistedBytes, seen.unlistedBytes);
    seen.unlistedBytes = unlistedBytes;
    if (ids.size === 0) seen.quietBytes = unlistedBytes;
    const isOwn = ({ lease }: Listed): boolean => lease !== undefined && ids.has(lease);
    const isClear =
      processes?.every(
        ({ pid, bytes, lives }) => bytes !== undefined && (lives || seen.pids.has(pid)),
      ) &&
      (ids.size === 0 || processes.some(isOwn) || steadyBytes <= seen.quietBytes + NEWS_BYTES);
    // An empty list is no sign that the driver lists anybody.
    if (isClear !== true || processes?.length !== 0) seen.attributed = isClear === true;
    if (processes === undefined || isClear !== true) {
      this.#attributeByCard(reading, seen, [...ids], tell, at);
      return;
    }
    seen.pids = new Map(processes.map(({ pid, lease }) => [pid, lease]));
    const sums = new Map<string, number>();
    for (const { bytes = 0, lease } of processes.filter(isOwn))
      sums.set(lease ?? "", (sums.get(lease ?? "") ?? 0) + bytes);
    for (const [id, bytes] of sums) tell(id, bytes, "process");
    const strangers = processes.filter((one) => one.lives && !isOwn(one));
    const [first] = strangers;
    const foreign = strangers.reduce((sum, { bytes = 0 }) => sum + bytes, steadyBytes);
    seen.baselineBytes = foreign;
    if (foreign > 0) seen.who = first && this.#processes.describe(first.pid);
    remember(seen, foreign, at, strangers.length > 0 ? HIGH_WATER_MS : GONE_MS);
  }

  /** The driver lists a process a while after its end; then it still has the lease it had. */
  #listed(
    reading: GpuReading,
    { pids }: Seen,
    leases: readonly Lease[],
  ): readonly Listed[] | undefined {
    return reading.processes?.map(({ pid, bytes }) => {
      const lives = this.#processes.exists(pid);
      const lease = lives ? this.#leaseOf(pid, leases) : undefined;
      return { pid, bytes, lives, lease: lease ?? pids.get(pid) };
    });
  }

  /** By its mark, or as a process that asked for itself or a descendant of one. */
  #leaseOf(pid: number, leases: readonly Lease[]): string | undefined {
    const mark = this.#processes.markOf(pid);
    if (mark !== undefined && leases.some((lease) => isMarkOf(mark, lease))) return mark.lease;
    if (this.holders.size === 0) return undefined;
    let at: number | undefined = pid;
    for (let depth = 0; at !== undefined && at > 1 && depth < GENERATIONS; depth++) {
      const lease = this.holders.get(at);
      if (lease !== undefined) return lease;
      at = this.#processes.parentOf(at);
    }
    return undefined;
  }

  /** Processes cannot be told apart: what a lone lease finds on the card beyond the usual is its own. */
  #attributeByCard(
    reading: GpuReading,
    seen: Seen,
    leases: readonly string[],
    tell: (id: string, bytes: number, source: SampleSource) => void,
    at: number,
  ): void {
    const used = reading.usedBytes ?? 0;
    if (leases.length === 0) seen.baselineBytes = used;
    const above = Math.max(0, used - seen.baselineBytes);
    const [only] = leases;
    if (leases.length === 1 && only !== undefined) tell(only, above, "device");
    const promised = this.#allocator.leases
      .filter(({ cards }) => cards.includes(reading.id))
      .reduce((sum, lease) => sum + Math.max(lease.reservedBytes, lease.observedBytes), 0);
    const beyond = leases.length === 1 ? 0 : Math.max(0, above - promised);
    remember(seen, leases.length === 0 ? used : seen.baselineBytes + beyond, at);
  }

  #card(gpu: Gpu): Card {
    const seen = this.#seen.get(gpu.id);
    const foreignBytes = seen === undefined ? 0 : highest(seen);
    return {
      ...cardOf(gpu),
      foreignBytes,
      foreignWho: foreignBytes > 0 ? seen?.who : undefined,
      closed:
        gpu.unusable ?? seen?.reading?.lost ?? (this.drained.has(gpu.id) ? "drained" : undefined),
      attributed: seen?.attributed ?? true,
    };
  }
}

const highest = ({ foreign }: Seen): number =>
  foreign.reduce((most, { bytes }) => Math.max(most, bytes), 0);

function remember(seen: Seen, bytes: number, at: number, longMs: number = HIGH_WATER_MS): void {
  seen.foreign = seen.foreign.filter((one) => at - one.at <= longMs && one.bytes > bytes);
  if (bytes > 0) seen.foreign.push({ bytes, at });
}

/** A card's load is its jobs' together; shared out evenly where there are several. */
const loadOf = ({ load }: GpuReading, leases: number): number | undefined =>
  load === undefined || leases === 0 ? undefined : load / leases;
