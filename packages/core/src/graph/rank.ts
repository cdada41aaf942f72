// How long the longest chain of work behind each task is, from past durations: the longer, the
// earlier it should start.

import type { Adjacency } from "./adjacency.ts";
import { neighbours } from "./adjacency.ts";

/** What one task is known to take. */
export interface Expectation {
  readonly template: string;
  /** Of the last success, in milliseconds; absent: never seen. */
  readonly durationMs: number | undefined;
}

/** Assumed where nothing at all is known; only its being the same for all matters. */
const unknownMs = 1000;

/** Durations with the unknown ones guessed: as the template's others, else as all others. */
export function guessDurations(tasks: readonly Expectation[]): Float64Array {
  const known = new Map<string, number[]>();
  const all: number[] = [];
  for (const { template, durationMs } of tasks) {
    if (durationMs === undefined) continue;
    all.push(durationMs);
    const list = known.get(template);
    if (list === undefined) known.set(template, [durationMs]);
    else list.push(durationMs);
  }
  const overall = median(all) ?? unknownMs;
  const medians = new Map(
    [...known].map(([template, list]) => [template, median(list) ?? overall]),
  );
  return Float64Array.from(
    tasks,
    ({ template, durationMs }) => durationMs ?? medians.get(template) ?? overall,
  );
}

/**
 * Length of the longest path from each task to an end, its own duration included. Tasks must be
 * numbered so that dependents come after what they depend on.
 */
export function rank(durations: Float64Array, dependents: Adjacency): Float64Array {
  const weight = new Float64Array(durations.length);
  for (let task = durations.length - 1; task >= 0; task--) {
    let longest = 0;
    for (const dependent of neighbours(dependents, task)) {
      longest = Math.max(longest, weight[dependent] ?? 0);
    }
    weight[task] = longest + (durations[task] ?? 0);
  }
  return weight;
}

function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)];
}
