// How a lease's end is judged: whether memory ran out, whose fault that was, and how much the next
// attempt should get.

import type { OutOfMemory } from "./out-of-memory.ts";
import type { Lease } from "./model.ts";

/** What the holder tells of the job's end. */
export interface EndReport {
  readonly succeeded: boolean;
  /** Signs in the job's output that GPU memory ran out; absent: none. */
  readonly outOfMemory: OutOfMemory | undefined;
  /** Peak the program itself counted. */
  readonly peakBytes: number | undefined;
}

export type Verdict =
  | { readonly type: "ok" }
  /** It failed, but not for want of GPU memory. */
  | { readonly type: "failed" }
  /** It needs more than it had. */
  | { readonly type: "oom-self"; readonly bytes: number }
  /** It kept to its reservation; others took more than theirs. */
  | { readonly type: "crowded-out"; readonly by: readonly string[] };

/** A lease that used this share of its reservation was up against it. */
const FULL = 0.95;

/** Judges an end. `neighbours` are the leases left on the same cards. */
export function blame(lease: Lease, report: EndReport, neighbours: readonly Lease[]): Verdict {
  if (report.succeeded) return { type: "ok" };
  const oom = report.outOfMemory;
  const wanted = (oom?.usedBytes ?? lease.observedBytes) + (oom?.askedBytes ?? 0);
  const greedy = neighbours.filter(
    (other) => !other.cold && other.observedBytes > other.reservedBytes,
  );
  const within = !lease.cold && wanted <= lease.reservedBytes;
  if (oom === undefined) return { type: "failed" };
  if (
    oom.strength === "weak" &&
    !within &&
    lease.observedBytes < FULL * lease.reservedBytes &&
    greedy.length === 0
  )
    return { type: "failed" };
  if (within && greedy.length > 0) return { type: "crowded-out", by: greedy.map(({ id }) => id) };
  return { type: "oom-self", bytes: nextReservation(lease, oom) };
}

/** How much to give the next attempt of a job that ran out of memory. */
function nextReservation(lease: Lease, oom: OutOfMemory): number {
  const seen = Math.max(lease.observedBytes, oom.usedBytes ?? 0);
  if (oom.askedBytes !== undefined)
    return Math.round(Math.max(seen + oom.askedBytes * 1.1, lease.observedBytes * 1.25));
  return Math.round(Math.max(lease.reservedBytes * 1.5, seen * 1.25));
}
