// flow's policy among the simulated contenders: the same allocator the broker uses, fed with what
// the broker's sampler would see.

import { Allocator, type Ask } from "../policy/allocator.ts";
import { type Card, DEFAULT_SETTINGS, type Settings } from "../policy/model.ts";
import { ProfileBook } from "../policy/profile.ts";
import type { Contender, Placement, Running, World } from "./world.ts";
import type { SimulatedJob, Workload } from "./workload.ts";

export interface FlowOptions {
  readonly settings?: Partial<Settings>;
  /** What earlier runs have taught. */
  readonly book?: ProfileBook;
  /** What people declare of a job's memory; absent: nothing. */
  readonly declaredBytes?: (job: SimulatedJob) => number;
}

/** Attempts that end out of memory before the job gets a card of its own. */
const TRIES = 2;
const HIGH_WATER_S = 600;
/** The same once no foreign process is left. */
const GONE_S = 60;

export class FlowContender implements Contender {
  readonly #allocator: Allocator;
  readonly #jobs: ReadonlyMap<string, SimulatedJob>;
  readonly #options: FlowOptions;
  readonly #failures = new Map<number, number>();
  /** Foreign memory seen, newest last. */
  readonly #foreign: { readonly card: number; readonly bytes: number; readonly atS: number }[] = [];
  #isChanged = true;

  constructor(workload: Workload, options: FlowOptions = {}) {
    this.#options = options;
    const settings = { ...DEFAULT_SETTINGS, ...options.settings };
    this.#allocator = new Allocator(settings, options.book ?? new ProfileBook());
    this.#jobs = new Map(workload.jobs.map((job) => [String(job.id), job]));
    for (const job of workload.jobs) this.#ask(job, 0, false);
  }

  place(world: World): readonly Placement[] {
    this.#look(world);
    if (!this.#isChanged && world.nowS % 5 !== 0) return [];
    this.#isChanged = false;
    this.#allocator.cards = this.#cards(world);
    return this.#allocator.pass(world.nowS * 1000).grants.map(({ id, cards }) => ({
      job: this.#jobs.get(id) as SimulatedJob,
      card: Number(cards[0]),
    }));
  }

  done(running: Running, world: World): void {
    this.#allocator.end(
      String(running.job.id),
      { succeeded: true, outOfMemory: undefined, peakBytes: undefined },
      world.nowS * 1000,
    );
    this.#isChanged = true;
  }

  outOfMemory(running: Running, askedBytes: number, world: World): void {
    const { job } = running;
    const outOfMemory = {
      strength: "strong" as const,
      askedBytes: Math.round(askedBytes),
      usedBytes: Math.round(running.memoryBytes),
      line: "CUDA out of memory",
    };
    const verdict = this.#allocator.end(
      String(job.id),
      { succeeded: false, outOfMemory, peakBytes: undefined },
      world.nowS * 1000,
    );
    const failures = (this.#failures.get(job.id) ?? 0) + (verdict.type === "oom-self" ? 1 : 0);
    this.#failures.set(job.id, failures);
    const floorBytes = verdict.type === "oom-self" ? verdict.bytes : 0;
    this.#ask(job, floorBytes, failures > TRIES);
    this.#isChanged = true;
  }

  /** Jobs are all there from the start, and one that runs again keeps its place. */
  #ask(job: SimulatedJob, floorBytes: number, alone: boolean): void {
    const ask: Ask = {
      id: String(job.id),
      label: `${job.type} ${job.id}`,
      user: "me",
      since: 0,
      priority: 0,
      weightMs: undefined,
      count: 1,
      fraction: undefined,
      alone,
      model: undefined,
      linked: false,
      among: undefined,
      identity: { keys: [...new Set([job.type, job.family])], params: {} },
      declaredBytes: this.#options.declaredBytes?.(job),
      declaredLoad: undefined,
      floorBytes,
    };
    this.#allocator.ask(ask);
  }

  /** What the sampler sees: memory of each process, and its load once it computes. */
  #look(world: World): void {
    for (const { job, memoryBytes, progressS } of world.running) {
      const load = progressS >= job.startUpS ? job.busy : undefined;
      const reading = { bytes: memoryBytes, load, source: "process" as const };
      if (this.#allocator.observe(String(job.id), reading, world.nowS * 1000))
        this.#isChanged = true;
    }
  }

  #cards(world: World): readonly Card[] {
    const { cards, cardBytes } = world.workload;
    return Array.from({ length: cards }, (_, card) => ({
      id: String(card),
      name: `GPU ${card}`,
      model: "Simulated",
      capacityBytes: cardBytes,
      foreignBytes: this.#highWater(card, world),
      foreignWho: undefined,
      closed: undefined,
      single: false,
      attributed: true,
      group: "all",
    }));
  }

  #highWater(card: number, world: World): number {
    const bytes = world.foreignBytes(card);
    if (bytes > 0) this.#foreign.push({ card, bytes, atS: world.nowS });
    const longS = bytes > 0 ? HIGH_WATER_S : GONE_S;
    return this.#foreign
      .filter((seen) => seen.card === card && world.nowS - seen.atS <= longS)
      .reduce((most, seen) => Math.max(most, seen.bytes), bytes);
  }
}
