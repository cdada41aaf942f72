// Orders and cycles of a graph in compressed form. Everything here is iterative: a chain of 100,000
// tasks is an ordinary graph.

import type { Adjacency } from "./adjacency.ts";
import { neighbours } from "./adjacency.ts";

/**
 * All nodes, each after what it depends on and otherwise by number: the smallest topological order.
 * Shorter than the graph when there are cycles: nodes on or behind one are left out.
 */
export function topologicalOrder(
  size: number,
  dependencies: Adjacency,
  dependents: Adjacency,
): Int32Array {
  const waiting = new Int32Array(size);
  const ready = new NumberHeap();
  for (let node = 0; node < size; node++) {
    waiting[node] = neighbours(dependencies, node).length;
    if (waiting[node] === 0) ready.push(node);
  }
  const order = new Int32Array(size);
  let count = 0;
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    order[count++] = node;
    for (const dependent of neighbours(dependents, node)) {
      const left = (waiting[dependent] ?? 0) - 1;
      waiting[dependent] = left;
      if (left === 0) ready.push(dependent);
    }
  }
  return order.subarray(0, count);
}

const searchBudget = 20_000_000;

/**
 * A shortest cycle among these nodes, as node numbers in dependency order starting at the smallest;
 * undefined when there is none. In graphs so tangled that looking for the shortest would take
 * seconds, the shortest of those found in the time.
 */
export function shortestCycle(
  dependents: Adjacency,
  suspects: readonly number[],
): readonly number[] | undefined {
  const allowed = new Set(suspects);
  let best: readonly number[] | undefined;
  let steps = 0;
  for (const start of suspects) {
    if (best !== undefined && (best.length === 1 || steps > searchBudget)) break;
    const search = cycleThrough(dependents, start, allowed, (best?.length ?? Infinity) - 1);
    steps += search.steps;
    if (search.cycle !== undefined) best = search.cycle;
    allowed.delete(start);
  }
  if (best === undefined) return undefined;
  const smallest = best.indexOf(Math.min(...best));
  return [...best.slice(smallest), ...best.slice(0, smallest)];
}

/** Breadth-first from `start` back to it, in at most `limit` edges. */
function cycleThrough(
  dependents: Adjacency,
  start: number,
  allowed: ReadonlySet<number>,
  limit: number,
): { readonly cycle: readonly number[] | undefined; readonly steps: number } {
  const cameFrom = new Map<number, number>();
  let frontier = [start];
  let steps = 0;
  for (let length = 1; length <= limit && frontier.length > 0; length++) {
    const next: number[] = [];
    for (const node of frontier) {
      for (const dependent of neighbours(dependents, node)) {
        steps++;
        if (dependent === start) return { cycle: trail(cameFrom, node), steps };
        if (allowed.has(dependent) && !cameFrom.has(dependent)) {
          cameFrom.set(dependent, node);
          next.push(dependent);
        }
      }
    }
    frontier = next;
  }
  return { cycle: undefined, steps };
}

function trail(cameFrom: ReadonlyMap<number, number>, last: number): readonly number[] {
  const path: number[] = [];
  for (let node: number | undefined = last; node !== undefined; node = cameFrom.get(node)) {
    path.push(node);
  }
  return path.reverse();
}

/** A binary heap that gives the smallest number first. */
class NumberHeap {
  readonly #items: number[] = [];

  push(value: number): void {
    const items = this.#items;
    let at = items.length;
    items.push(value);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = items[parent] ?? 0;
      if (above <= value) break;
      items[at] = above;
      at = parent;
    }
    items[at] = value;
  }

  pop(): number | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (top === undefined || last === undefined || items.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if ((items[child + 1] ?? Infinity) < (items[child] ?? 0)) child++;
      const below = items[child] ?? 0;
      if (below >= last) break;
      items[at] = below;
      at = child;
    }
    items[at] = last;
    return top;
  }
}
