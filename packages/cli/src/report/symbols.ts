// One symbol, word and style per state of a task; the same on every screen.

import type { Style } from "./color.ts";
import type { TaskStatus } from "./run-view.ts";

export interface Sign {
  readonly sign: string;
  readonly word: string;
  readonly style: Style;
}

/** In the order in which a line of counts shows them. */
export const SYMBOLS: Readonly<Record<TaskStatus, Sign>> = {
  failed: { sign: "✖", word: "failed", style: "bad" },
  unknown: { sign: "?", word: "unknown", style: "warn" },
  done: { sign: "✔", word: "done", style: "good" },
  running: { sign: "▶", word: "running", style: "active" },
  again: { sign: "↻", word: "again", style: "warn" },
  queued: { sign: "◷", word: "queued", style: "warn" },
  held: { sign: "⋈", word: "held", style: "warn" },
  waiting: { sign: "·", word: "waiting", style: "dim" },
  fresh: { sign: "=", word: "fresh", style: "dim" },
  skipped: { sign: "–", word: "skipped", style: "dim" },
  allowed: { sign: "!", word: "failed, allowed", style: "warn" },
  blocked: { sign: "⊘", word: "blocked", style: "blocked" },
  cancelled: { sign: "◼", word: "cancelled", style: "dim" },
  pruned: { sign: "✂", word: "pruned", style: "dim" },
};
