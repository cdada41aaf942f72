// How long a plan takes: its work, laid out on so many places by the order the scheduler prefers.

import { type Adjacency, neighbours } from "../graph/adjacency.ts";
import { Heap } from "../machine/heap.ts";

export interface Work {
  /** Expected milliseconds per task; 0 for those that do not run. */
  readonly durationsMs: Float64Array;
  /** What each task waits for. */
  readonly dependencies: Adjacency;
}

/** Milliseconds until all is done with `places` tasks at once, the longest chain of work first. */
export function makespan({ durationsMs, dependencies }: Work, places: number): number {
  const ends = new Float64Array(durationsMs.length);
  const remaining = chainLengths({ durationsMs, dependencies });
  const order = [...durationsMs.keys()].sort((a, b) => (remaining[b] ?? 0) - (remaining[a] ?? 0));
  const free = new Heap();
  for (let place = 0; place < Math.max(1, Math.min(places, durationsMs.length)); place += 1) {
    free.push(0, place);
  }
  let last = 0;
  for (const task of order) {
    const duration = durationsMs[task] ?? 0;
    let ready = 0;
    for (const dependency of neighbours(dependencies, task)) {
      ready = Math.max(ready, ends[dependency] ?? 0);
    }
    if (duration === 0) {
      ends[task] = ready;
      continue;
    }
    const end = Math.max(ready, free.topKey ?? 0) + duration;
    free.push(end, free.pop() ?? 0);
    ends[task] = end;
    last = Math.max(last, end);
  }
  return last;
}

/** Tasks of the longest chain of work, first to last; those that take no time are left out. */
export function criticalPath({ durationsMs, dependencies }: Work): readonly number[] {
  const before = new Int32Array(durationsMs.length).fill(-1);
  const length = new Float64Array(durationsMs.length);
  let end = -1;
  for (const [task, duration] of durationsMs.entries()) {
    for (const dependency of neighbours(dependencies, task)) {
      if ((length[dependency] ?? 0) <= (length[task] ?? 0)) continue;
      length[task] = length[dependency] ?? 0;
      before[task] = dependency;
    }
    length[task] = (length[task] ?? 0) + duration;
    if (end < 0 || (length[task] ?? 0) > (length[end] ?? 0)) end = task;
  }
  const path: number[] = [];
  for (let task = end; task >= 0; task = before[task] ?? -1) {
    if ((durationsMs[task] ?? 0) > 0) path.unshift(task);
  }
  return path;
}

/** Milliseconds from each task's start to the end of the longest chain behind it. */
function chainLengths({ durationsMs, dependencies }: Work): Float64Array {
  const lengths = Float64Array.from(durationsMs);
  for (let task = durationsMs.length - 1; task >= 0; task -= 1) {
    for (const dependency of neighbours(dependencies, task)) {
      const through = (durationsMs[dependency] ?? 0) + (lengths[task] ?? 0);
      if (through > (lengths[dependency] ?? 0)) lengths[dependency] = through;
    }
  }
  return lengths;
}
