// Compressed adjacency: the neighbours of node i are `targets[start[i] … start[i + 1]]`. Two flat
// arrays hold a graph of 100,000 nodes in a few megabytes and are walked without allocation.

export interface Adjacency {
  readonly start: Int32Array;
  readonly targets: Int32Array;
}

/** Adjacency of `size` nodes from edge `from[e]` → `to[e]`; neighbours keep the order of edges. */
export function buildAdjacency(
  size: number,
  from: ArrayLike<number>,
  to: ArrayLike<number>,
): Adjacency {
  const start = new Int32Array(size + 1);
  for (let edge = 0; edge < from.length; edge++) {
    const node = (from[edge] ?? 0) + 1;
    start[node] = (start[node] ?? 0) + 1;
  }
  for (let node = 0; node < size; node++) {
    start[node + 1] = (start[node + 1] ?? 0) + (start[node] ?? 0);
  }
  const next = start.slice(0, size);
  const targets = new Int32Array(from.length);
  for (let edge = 0; edge < from.length; edge++) {
    const node = from[edge] ?? 0;
    const at = next[node] ?? 0;
    targets[at] = to[edge] ?? 0;
    next[node] = at + 1;
  }
  return { start, targets };
}

/** Neighbours of one node, as a view. */
export const neighbours = (adjacency: Adjacency, node: number): Int32Array =>
  adjacency.targets.subarray(adjacency.start[node] ?? 0, adjacency.start[node + 1] ?? 0);

/** Everything reachable from `roots`, themselves included. */
export function reachable(adjacency: Adjacency, roots: Iterable<number>): Set<number> {
  const found = new Set(roots);
  for (const node of found) {
    for (const neighbour of neighbours(adjacency, node)) found.add(neighbour);
  }
  return found;
}
