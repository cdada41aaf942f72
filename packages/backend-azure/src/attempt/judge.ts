// What the service's word about a task means for its attempt, together with what was seen before. A
// list may be stale, so a state that goes back is asked for once more before it is believed. Pure.

import type { TaskRow } from "../service/batch-port.ts";
import type { Life } from "./files.ts";

export type Verdict =
  | { readonly type: "queued" }
  | { readonly type: "running"; readonly life: Life | undefined }
  /** It is over; the result tells how. */
  | { readonly type: "completed" }
  /** It has lost its node, and waits for another or runs there. */
  | { readonly type: "displaced" }
  /** It seems to have lost its node, or to be gone: ask for this one task. */
  | { readonly type: "ask" };

export interface Evidence {
  /** Absent: not listed. */
  readonly row: TaskRow | undefined;
  /** The row is the answer for this task alone, and so is not stale. */
  readonly sure: boolean;
  /** Where it was first seen to run. */
  readonly life: Life | undefined;
}

/** Clocks and roundings of the service's own times. */
const SAME_START_MS = 1000;

export function judge({ row, sure, life }: Evidence): Verdict {
  if (row === undefined) return sure ? { type: "completed" } : { type: "ask" };
  switch (row.state) {
    case "completed":
      return { type: "completed" };
    case "running":
    case "preparing": {
      const now = lifeOf(row);
      if (life === undefined || now === undefined || isSame(life, now))
        return { type: "running", life: now };
      return sure ? { type: "displaced" } : { type: "ask" };
    }
    default:
      if (life === undefined) return { type: "queued" };
      return sure ? { type: "displaced" } : { type: "ask" };
  }
}

const lifeOf = ({ node, startedAt, state }: TaskRow): Life | undefined =>
  node === undefined || startedAt === undefined || state !== "running"
    ? undefined
    : { node, startedAt };

const isSame = (one: Life, other: Life): boolean =>
  one.node === other.node && Math.abs(one.startedAt - other.startedAt) <= SAME_START_MS;
