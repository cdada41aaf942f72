// The policies that flow's is compared with.

import type { Contender, Placement, Running, World } from "./world.ts";
import type { SimulatedJob, Workload } from "./workload.ts";

/** A fixed number of jobs per card, first come first served; after two failures alone. */
export class StaticContender implements Contender {
  readonly #perCard: number;
  #queue: readonly SimulatedJob[];
  readonly #failures = new Map<number, number>();

  constructor(workload: Workload, perCard: number) {
    this.#perCard = perCard;
    this.#queue = workload.jobs;
  }

  place({ running, workload }: World): readonly Placement[] {
    const counts = Array.from({ length: workload.cards }, () => 0);
    const closed = new Set<number>();
    for (const { card, job } of running) {
      counts[card] = (counts[card] ?? 0) + 1;
      if (this.#isAlone(job)) closed.add(card);
    }
    const placed: Placement[] = [];
    this.#queue = this.#queue.filter((job) => {
      const least = Math.min(...counts.filter((_, card) => !closed.has(card)));
      const card = counts.findIndex((count, at) => count === least && !closed.has(at));
      if (card === -1 || least >= (this.#isAlone(job) ? 1 : this.#perCard)) return true;
      counts[card] = least + 1;
      if (this.#isAlone(job)) closed.add(card);
      placed.push({ job, card });
      return false;
    });
    return placed;
  }

  outOfMemory({ job }: Running): void {
    this.#failures.set(job.id, (this.#failures.get(job.id) ?? 0) + 1);
    this.#queue = [...this.#queue, job];
  }

  #isAlone = ({ id }: SimulatedJob): boolean => (this.#failures.get(id) ?? 0) >= 2;
}

/** Knows every peak and load before, and starts the longest first. */
export class ListContender implements Contender {
  #queue: readonly SimulatedJob[];
  readonly #loadCap: number;

  constructor(workload: Workload, loadCap = 1.5) {
    this.#loadCap = loadCap;
    this.#queue = [...workload.jobs].sort((a, b) => b.durationS - a.durationS);
  }

  place(world: World): readonly Placement[] {
    const { running, workload } = world;
    const { foreign } = workload;
    const cards = Array.from({ length: workload.cards }, (_, card) => {
      const there = running.filter((each) => each.card === card);
      const outside = foreign?.card === card ? foreign.bytes : 0;
      return {
        card,
        bytes: there.reduce(
          (sum, { job }) => sum + job.peakBytes,
          Math.max(outside, world.foreignBytes(card)),
        ),
        load: there.reduce((sum, { job }) => sum + job.busy, 0),
        count: there.length,
      };
    });
    const placed: Placement[] = [];
    this.#queue = this.#queue.filter((job) => {
      const best = cards
        .filter(
          ({ bytes, load, count }) =>
            bytes + job.peakBytes <= workload.cardBytes &&
            (count === 0 || load + job.busy <= this.#loadCap),
        )
        .sort((a, b) => a.load - b.load)[0];
      if (best === undefined) return true;
      best.bytes += job.peakBytes;
      best.load += job.busy;
      best.count++;
      placed.push({ job, card: best.card });
      return false;
    });
    return placed;
  }

  outOfMemory({ job }: Running): void {
    this.#queue = [job, ...this.#queue];
  }
}

/**
 * The rules of GPU Resource Negotiator: the first job of a type runs on a card that is locked for
 * other grants until its profile is known; later ones go where most memory is free.
 */
export class GrnContender implements Contender {
  readonly #isRepaired: boolean;
  #queue: { readonly job: SimulatedJob; atS: number }[];
  readonly #profiles = new Map<string, number>();
  /** Type → card it is being profiled on. */
  readonly #profiling = new Map<string, number>();
  readonly #reserved = new Map<number, number>();
  #idleSinceS: number | undefined;

  /** `isRepaired`: reservations last and a failed first job frees its card. */
  constructor(workload: Workload, isRepaired: boolean) {
    this.#isRepaired = isRepaired;
    this.#queue = workload.jobs.map((job) => ({ job, atS: 0 }));
  }

  place(world: World): readonly Placement[] {
    this.#restartWhenStuck(world);
    const placed: Placement[] = [];
    this.#queue = this.#queue.filter(({ job, atS }) => {
      if (atS > world.nowS) return true;
      const card = this.#choose(job, world, placed);
      if (card === undefined) return true;
      placed.push({ job, card });
      return false;
    });
    return placed;
  }

  done({ job, peakBytes, card }: Running): void {
    this.#reserved.delete(job.id);
    if (!this.#profiles.has(job.type)) this.#profiles.set(job.type, peakBytes);
    if (this.#profiling.get(job.type) === card) this.#profiling.delete(job.type);
  }

  outOfMemory({ job }: Running, _asked: number, world: World): void {
    this.#reserved.delete(job.id);
    if (this.#isRepaired && !this.#profiles.has(job.type)) this.#profiling.delete(job.type);
    this.#queue.push({ job, atS: world.nowS + 30 });
  }

  #choose(job: SimulatedJob, world: World, placed: readonly Placement[]): number | undefined {
    const profile = this.#profiles.get(job.type);
    if (profile === undefined && this.#profiling.has(job.type)) return undefined;
    const locked = new Set(this.#profiling.values());
    const open = Array.from({ length: world.workload.cards }, (_, card) => ({
      card,
      free: this.#free(card, world, placed),
    }))
      .filter(({ card, free }) => !locked.has(card) && (profile === undefined || free >= profile))
      .sort((a, b) => b.free - a.free);
    const card = open[0]?.card;
    if (card === undefined) return undefined;
    if (profile === undefined) this.#profiling.set(job.type, card);
    else if (this.#isRepaired) this.#reserved.set(job.id, profile);
    return card;
  }

  #free(card: number, world: World, placed: readonly Placement[]): number {
    if (!this.#isRepaired) return world.workload.cardBytes - world.usedBytes(card);
    let held = world.foreignBytes(card);
    for (const running of world.running)
      if (running.card === card)
        held += Math.max(this.#reserved.get(running.job.id) ?? 0, running.memoryBytes);
    for (const { job, card: at } of placed)
      if (at === card) held += this.#reserved.get(job.id) ?? 0;
    return world.workload.cardBytes - held;
  }

  /** Locks of failed first jobs stay for ever; a person restarts the server when nothing moves. */
  #restartWhenStuck(world: World): void {
    if (world.running.length > 0 || this.#queue.every(({ atS }) => atS > world.nowS)) {
      this.#idleSinceS = undefined;
      return;
    }
    this.#idleSinceS ??= world.nowS;
    if (world.nowS - this.#idleSinceS < 60) return;
    this.#profiling.clear();
    this.#profiles.clear();
    this.#idleSinceS = undefined;
  }
}
