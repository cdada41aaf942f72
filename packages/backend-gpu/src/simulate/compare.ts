// The comparison: every policy on the same jobs, makespan over the lower bound and jobs that died.

import { ProfileBook } from "../policy/profile.ts";
import type { Settings } from "../policy/model.ts";
import { GrnContender, ListContender, StaticContender } from "./contenders.ts";
import { FlowContender } from "./flow-contender.ts";
import { lowerBound } from "./lower-bound.ts";
import { random } from "./random.ts";
import { workload, type Workload, type WorkloadName } from "./workload.ts";
import { type Contender, type RunResult, simulate } from "./world.ts";

export const POLICIES = [
  "exclusive",
  "static 2",
  "GRN as written",
  "GRN repaired",
  "flow",
  "flow, declared",
  "clairvoyant list",
] as const;

export type PolicyName = (typeof POLICIES)[number];

/** One policy on one workload and seed. */
export interface Comparison {
  readonly ratio: number;
  readonly outOfMemoryPer100: number;
  readonly attempts: number;
}

/** Runs one policy on the jobs of a seed. */
export function compare(
  name: WorkloadName,
  policy: PolicyName,
  seed: number,
  settings: Partial<Settings> = {},
): Comparison {
  const jobs = workload(name, seed);
  const result = simulate(jobs, contender(jobs, policy, seed, settings), seed);
  return measured(jobs, result);
}

function measured(jobs: Workload, { makespanS, outOfMemory, attempts }: RunResult): Comparison {
  return {
    ratio: makespanS / lowerBound(jobs),
    outOfMemoryPer100: (100 * outOfMemory) / jobs.jobs.length,
    attempts,
  };
}

function contender(
  jobs: Workload,
  policy: PolicyName,
  seed: number,
  settings: Partial<Settings>,
): Contender {
  switch (policy) {
    case "exclusive":
      return new StaticContender(jobs, 1);
    case "static 2":
      return new StaticContender(jobs, 2);
    case "GRN as written":
      return new GrnContender(jobs, false);
    case "GRN repaired":
      return new GrnContender(jobs, true);
    case "flow":
      return new FlowContender(jobs, { settings, book: bookFor(jobs, seed, settings) });
    case "flow, declared": {
      const dice = random(seed + 99);
      const errors = new Map(jobs.jobs.map(({ id }) => [id, dice.between(0.9, 1.3)]));
      const declaredBytes = ({ id, peakBytes }: { id: number; peakBytes: number }): number =>
        Math.min(0.97 * jobs.cardBytes, peakBytes * (errors.get(id) ?? 1));
      return new FlowContender(jobs, { settings, declaredBytes });
    }
    case "clairvoyant list":
      return new ListContender(jobs);
  }
}

/** The profiles flow has when it starts: those of an earlier run, where there was one. */
function bookFor(jobs: Workload, seed: number, settings: Partial<Settings>): ProfileBook {
  const book = new ProfileBook();
  if (jobs.repeated) simulate(jobs, new FlowContender(jobs, { settings, book }), seed + 1_000_000);
  return book;
}
