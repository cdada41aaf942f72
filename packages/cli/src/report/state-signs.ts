// Sign, word and style of every state a task can be in when no run is being watched.

import type { TaskState } from "../record/task-states.ts";
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
  impossible: { sign: "✖", word: "cannot run", style: "bad" },
  stale: { sign: "·", word: "stale", style: "active" },
  pending: { sign: "~", word: "maybe", style: "dim" },
  skipped: SYMBOLS.skipped,
  fresh: SYMBOLS.fresh,
};
