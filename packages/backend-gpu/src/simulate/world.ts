// Simulated cards with simulated jobs on them, second by second. It knows nothing of policies: a
// contender is asked each second what to start, and told what ended.

import { memoryAt, type SimulatedJob, type Workload } from "./workload.ts";
import { type Random, random } from "./random.ts";

/** One policy under comparison. */
export interface Contender {
  /** What to start now: jobs and their cards. Called every second. */
  place(world: World): readonly Placement[];
  /** A job ended well. */
  done?(running: Running, world: World): void;
  /** A job ran out of memory and lost everything. `askedBytes` is what it had tried to add. */
  outOfMemory(running: Running, askedBytes: number, world: World): void;
}

export interface Placement {
  readonly job: SimulatedJob;
  readonly card: number;
}

export interface Running {
  readonly job: SimulatedJob;
  readonly card: number;
  readonly startedS: number;
  /** Of the job's own seconds. */
  progressS: number;
  memoryBytes: number;
  /** Most it held so far. */
  peakBytes: number;
}

export interface World {
  readonly workload: Workload;
  readonly nowS: number;
  readonly running: readonly Running[];
  /** Memory in use on a card, foreign processes included. */
  usedBytes(card: number): number;
  foreignBytes(card: number): number;
  /** Share of time the card was busy in the last second. */
  readonly dice: Random;
}

export interface RunResult {
  readonly makespanS: number;
  readonly outOfMemory: number;
  /** Most attempts one job needed. */
  readonly attempts: number;
}

/** Loss per unit of load beyond what a card can do. */
const INTERFERENCE = 0.15;
const SHARING_LOSS = 0.04;
const LIMIT_S = 200_000;

/** Runs a workload under a policy to its end. */
export function simulate(
  workload: Workload,
  contender: Contender,
  seed: number,
  interference: number = INTERFERENCE,
): RunResult {
  const state = new State(workload, contender, seed, interference);
  while (state.done < workload.jobs.length) {
    if (state.nowS > LIMIT_S) throw new Error(`${workload.name}, seed ${seed}: jobs were lost.`);
    state.second();
  }
  return {
    makespanS: state.nowS,
    outOfMemory: state.outOfMemory,
    attempts: Math.max(...state.attempts.values()),
  };
}

class State implements World {
  readonly workload: Workload;
  readonly dice: Random;
  readonly #contender: Contender;
  readonly #interference: number;
  readonly attempts = new Map<number, number>();
  nowS = 0;
  running: Running[] = [];
  done = 0;
  outOfMemory = 0;
  #foreignBytes = 0;

  constructor(workload: Workload, contender: Contender, seed: number, interference: number) {
    this.workload = workload;
    this.dice = random(seed * 104_729 + 7);
    this.#contender = contender;
    this.#interference = interference;
  }

  usedBytes(card: number): number {
    return this.#on(card).reduce(
      (sum, { memoryBytes }) => sum + memoryBytes,
      this.foreignBytes(card),
    );
  }

  foreignBytes(card: number): number {
    return this.workload.foreign?.card === card ? this.#foreignBytes : 0;
  }

  second(): void {
    for (const { job, card } of this.#contender.place(this)) this.#start(job, card);
    this.nowS++;
    this.#moveForeign();
    for (let card = 0; card < this.workload.cards; card++) this.#advance(card);
    for (const running of this.running) {
      if (running.progressS < running.job.durationS) continue;
      this.done++;
      this.#remove(running);
      this.#contender.done?.(running, this);
    }
  }

  #on(card: number): readonly Running[] {
    return this.running.filter((running) => running.card === card);
  }

  #start(job: SimulatedJob, card: number): void {
    this.attempts.set(job.id, (this.attempts.get(job.id) ?? 0) + 1);
    this.running.push({
      job,
      card,
      startedS: this.nowS,
      progressS: 0,
      memoryBytes: 0,
      peakBytes: 0,
    });
  }

  #remove(running: Running): void {
    this.running = this.running.filter((each) => each !== running);
  }

  /** The foreign process takes what it wants as it becomes free, and never dies of it. */
  #moveForeign(): void {
    const { foreign, cardBytes } = this.workload;
    if (foreign === undefined) return;
    if (this.nowS >= foreign.toS) this.#foreignBytes = 0;
    else if (this.nowS >= foreign.fromS) {
      const free = cardBytes - this.usedBytes(foreign.card);
      const wanted = Math.min(foreign.bytes - this.#foreignBytes, foreign.bytes / 10);
      this.#foreignBytes += Math.max(0, Math.min(free, wanted));
    }
  }

  #advance(card: number): void {
    const there = this.#on(card);
    const active = there.filter(({ job, progressS }) => progressS >= job.startUpS);
    const busy = active.reduce((sum, { job }) => sum + job.busy, 0);
    const bandwidth = active.reduce((sum, { job }) => sum + job.bandwidth, 0);
    const demand = Math.max(1, busy, bandwidth);
    const rate =
      1 /
      (demand * (1 + this.#interference * (demand - 1)) * (1 + SHARING_LOSS * (active.length - 1)));
    const growing = new Map<Running, number>();
    for (const running of there) {
      running.progressS += running.progressS < running.job.startUpS ? 1 : rate;
      const wanted = memoryAt(running.job, running.progressS);
      const more = wanted - running.memoryBytes;
      if (more > 0) growing.set(running, more);
    }
    this.#grow(card, growing);
  }

  #grow(card: number, growing: Map<Running, number>): void {
    const { cardBytes } = this.workload;
    for (;;) {
      const wanted = [...growing.values()].reduce((sum, more) => sum + more, 0);
      if (this.usedBytes(card) + wanted <= cardBytes || growing.size === 0) break;
      const victims = [...growing.keys()];
      const victim = victims[this.dice.whole(0, victims.length - 1)] as Running;
      const asked = growing.get(victim) ?? 0;
      growing.delete(victim);
      this.outOfMemory++;
      this.#remove(victim);
      this.#contender.outOfMemory(victim, asked, this);
    }
    for (const [running, more] of growing) {
      running.memoryBytes += more;
      running.peakBytes = Math.max(running.peakBytes, running.memoryBytes);
    }
  }
}
