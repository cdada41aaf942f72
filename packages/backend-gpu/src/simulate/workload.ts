// The mixes of jobs that policies are compared on. Memory in bytes, times in seconds.

import { GIB } from "../policy/model.ts";
import { type Random, random } from "./random.ts";

/** One job, with what no policy may look at before it happens. */
export interface SimulatedJob {
  readonly id: number;
  /** Its command line without what differs between repetitions. */
  readonly type: string;
  /** Its script. */
  readonly family: string;
  /** Alone on a card, start-up included. */
  readonly durationS: number;
  /** Without memory and load at the start. */
  readonly startUpS: number;
  readonly peakBytes: number;
  /** Held after the ramp and before the late growth. */
  readonly plateauBytes: number;
  /** Seconds after which it holds its peak. */
  readonly peakAtS: number;
  readonly busy: number;
  readonly bandwidth: number;
}

export interface Workload {
  readonly name: string;
  readonly jobs: readonly SimulatedJob[];
  readonly cards: number;
  readonly cardBytes: number;
  /** A process that nobody asked about, on one card. */
  readonly foreign:
    | {
        readonly card: number;
        readonly bytes: number;
        readonly fromS: number;
        readonly toS: number;
      }
    | undefined;
  /** Profiles of an earlier run of the same jobs are there. */
  readonly repeated: boolean;
}

export const WORKLOADS = [
  "mnist",
  "light",
  "mixed",
  "late",
  "sweep",
  "big",
  "external",
  "repeat",
] as const;

export type WorkloadName = (typeof WORKLOADS)[number];

const CARDS = 4;
const CARD_BYTES: number = 24 * GIB;
const CONTEXT_BYTES: number = 0.45 * GIB;
const CONTEXT_S = 1;

interface Kind {
  readonly type: string;
  readonly family: string;
  readonly peakBytes: number;
  readonly busy: number;
  readonly durationS: number;
  /** Relative spread between its jobs. */
  readonly spread: number;
  readonly isLate: boolean;
  readonly count: number;
}

/** The jobs of a workload for a seed. */
export function workload(name: WorkloadName, seed: number): Workload {
  const dice = random(seed * 7919 + 17);
  let id = 0;
  const jobs = kinds(name, dice).flatMap((kind) =>
    Array.from({ length: kind.count }, () => jobOf(kind, id++, dice)),
  );
  return {
    name,
    jobs: shuffled(jobs, dice),
    cards: CARDS,
    cardBytes: CARD_BYTES,
    foreign: name === "external" ? { card: 1, bytes: 12 * GIB, fromS: 200, toS: 1500 } : undefined,
    repeated: name === "repeat",
  };
}

function kinds(name: WorkloadName, dice: Random): readonly Kind[] {
  switch (name) {
    case "mnist":
      return Array.from({ length: 3 }, (_, n) => ({
        ...kind(`t${n}`, dice),
        peakBytes: dice.between(1.1, 1.4) * GIB,
        busy: dice.between(0.2, 0.25),
        durationS: dice.lognormal(300, 0.1),
        spread: 0.03,
        count: 3,
      }));
    case "sweep":
      return Array.from({ length: 4 }, (_, n) => kind(`s${n}`, dice)).flatMap((script) =>
        Array.from({ length: 12 }, (_, set) => ({
          ...script,
          type: `${script.type}#${set}`,
          count: 1,
        })),
      );
    case "light":
      return mixture(dice, (each) => ({
        ...each,
        peakBytes: Math.min(0.9 * CARD_BYTES, dice.lognormal(2 * GIB, 0.8)),
        busy: dice.between(0.12, 0.45),
      }));
    case "late":
      return mixture(dice, (each) => ({ ...each, isLate: dice.next() < 0.4 }));
    case "big":
      return mixture(dice, (each, n) =>
        n % 2 === 0 ? { ...each, peakBytes: dice.between(0.52, 0.9) * CARD_BYTES } : each,
      );
    case "mixed":
    case "external":
    case "repeat":
      return mixture(dice, (each) => each);
  }
}

function mixture(dice: Random, change: (kind: Kind, index: number) => Kind): readonly Kind[] {
  return Array.from({ length: 8 }, (_, n) => change(kind(`t${n}`, dice), n));
}

function kind(type: string, dice: Random): Kind {
  return {
    type,
    family: type,
    peakBytes: Math.min(0.9 * CARD_BYTES, dice.lognormal(5 * GIB, 0.8)),
    busy: dice.between(0.12, 1),
    durationS: dice.lognormal(300, 0.6),
    spread: dice.next() < 0.25 ? 0.25 : 0.03,
    isLate: false,
    count: dice.whole(2, 14),
  };
}

function jobOf(kind: Kind, id: number, dice: Random): SimulatedJob {
  const vary = (): number => Math.max(0.3, 1 + kind.spread * dice.normal());
  const startUpS = Math.round(dice.between(8, 25));
  const durationS = Math.max(startUpS + 20, Math.round(kind.durationS * vary()));
  const peakBytes = Math.min(0.9 * CARD_BYTES, kind.peakBytes * vary());
  return {
    id,
    type: kind.type,
    family: kind.family,
    durationS,
    startUpS,
    peakBytes,
    plateauBytes: peakBytes * (kind.isLate ? 0.5 : 0.85),
    peakAtS:
      startUpS +
      (durationS - startUpS) * (kind.isLate ? dice.between(0.4, 0.8) : dice.between(0.2, 0.6)),
    busy: kind.busy,
    bandwidth: kind.busy * dice.between(0.3, 1),
  };
}

function shuffled<T>(items: readonly T[], dice: Random): readonly T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = dice.whole(0, last);
    const swapped = result[last] as T;
    result[last] = result[other] as T;
    result[other] = swapped;
  }
  return result;
}

/** Memory a job holds after `progressS` of its own seconds. */
export function memoryAt(job: SimulatedJob, progressS: number): number {
  const since = progressS - job.startUpS;
  if (since < 0) return 0;
  if (progressS >= job.peakAtS) return job.peakBytes;
  const context = Math.min(CONTEXT_BYTES, job.plateauBytes);
  if (since < CONTEXT_S) return context;
  const rampS = Math.min(20, 0.2 * job.durationS);
  const part = Math.min(1, (since - CONTEXT_S) / rampS);
  return context + (job.plateauBytes - context) * part;
}
