// Sign, word and style of every state a task can be in when no run is being watched, and the words
// for a group of tasks.

import { STATES, type TaskState } from "../record/task-states.ts";
import type { Style } from "./color.ts";
import { type Sign, SYMBOLS } from "./symbols.ts";

export const STATE_SIGNS: Readonly<Record<TaskState, Sign>> = {
  failed: SYMBOLS.failed,
  unknown: SYMBOLS.unknown,
  running: SYMBOLS.running,
  again: SYMBOLS.again,
  queued: SYMBOLS.queued,
  held: SYMBOLS.held,
  left: { sign: "◌", word: "left running", style: "warn" },
  cancelled: { sign: "◼", word: "stopped", style: "warn" },
  pruned: SYMBOLS.pruned,
  impossible: { sign: "✖", word: "cannot run", style: "bad" },
  stale: { sign: "·", word: "stale", style: "active" },
  pending: { sign: "~", word: "maybe", style: "dim" },
  skipped: SYMBOLS.skipped,
  fresh: SYMBOLS.fresh,
};

/** A group of tasks, told in a few words. */
export interface GroupState {
  /** The state that matters most to a person. */
  readonly main: TaskState;
  readonly style: Style;
  /** `= fresh` of one task, `✖ 1 failed  = 8 fresh` of several. */
  readonly text: string;
  /** Tasks per state, those that occur. */
  readonly counts: Readonly<Partial<Record<TaskState, number>>>;
}

/** `states`: one per task, at least one. */
export function groupState(states: readonly TaskState[]): GroupState {
  const counts: Partial<Record<TaskState, number>> = {};
  for (const state of STATES) {
    const count = states.filter((one) => one === state).length;
    if (count > 0) counts[state] = count;
  }
  const present = Object.keys(counts) as TaskState[];
  const words = present.map((state) => {
    const { sign, word } = STATE_SIGNS[state];
    return states.length === 1 ? `${sign} ${word}` : `${sign} ${counts[state]} ${word}`;
  });
  const main = present[0] ?? "fresh";
  return { main, style: STATE_SIGNS[main].style, text: words.join("  "), counts };
}
