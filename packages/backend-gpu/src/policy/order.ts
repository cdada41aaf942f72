// Who is looked at first: users who had less, then priority with age, then the longest path to the
// end of the workflow; where no workflow tells, what takes long and much memory, which is hardest to
// place later. Kinds that nobody knows yet take turns before everything known, because what
// is learned from one serves all.

import type { Situation, Waiting } from "./model.ts";

interface Rank {
  readonly request: Waiting;
  readonly usage: number;
  readonly priority: number;
  readonly weight: number;
  /** How many of its kind run cold or stand before it. */
  readonly turn: number;
}

/** The queue in the order in which it is served. */
export function inOrder({
  cards,
  queue,
  leases,
  usage,
  settings,
  now,
}: Situation): readonly Waiting[] {
  const largestBytes = Math.max(1, ...cards.map(({ capacityBytes }) => capacityBytes));
  const turns = new Map<string, number>();
  for (const { cold, kind } of leases) if (cold) turns.set(kind, (turns.get(kind) ?? 0) + 1);
  const arrived = [...queue].sort((a, b) => a.since - b.since || compareText(a.id, b.id));
  const ranks = arrived.map((request): Rank => {
    const turn = turns.get(request.kind) ?? 0;
    turns.set(request.kind, turn + 1);
    const weight = request.weightMs ?? bulk(request, largestBytes);
    return {
      request,
      usage: usage.get(request.user) ?? 0,
      priority: request.priority + Math.floor((now - request.since) / settings.ageStepMs),
      weight,
      turn: weight === Infinity ? turn : 0,
    };
  });
  // Array.prototype.sort is stable: what is equal stays in the order of arrival.
  return ranks.sort(compare).map(({ request }) => request);
}

/** Run time, counted for less by the root of the share of a card that a request needs. */
function bulk({ need, alone }: Waiting, largestBytes: number): number {
  if (need.durationMs === undefined) return Infinity;
  const bytes = alone ? largestBytes : (need.bytes ?? largestBytes);
  return need.durationMs * Math.sqrt(Math.min(1, bytes / largestBytes));
}

function compare(a: Rank, b: Rank): number {
  return (
    a.usage - b.usage ||
    b.priority - a.priority ||
    (a.weight === b.weight ? 0 : b.weight - a.weight) ||
    a.turn - b.turn
  );
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
