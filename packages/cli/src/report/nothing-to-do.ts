// What every verb says when all that was asked for is fresh. Loads nothing but the colours: `flow run`
// with nothing to do loads this module.

import type { Paint } from "./color.ts";

/** `nothing to do: 12 tasks fresh` */
export const nothingToDo = (total: number): string =>
  total === 0
    ? "nothing selected"
    : `nothing to do: ${total === 1 ? "1 task" : `${total} tasks`} fresh`;

/** {@link nothingToDo} as the end of a run. */
export const idleVerdict = (total: number, paint: Paint): string =>
  `${paint("good", "✔")} ${nothingToDo(total)}`;

/** What `--failed` says when there is nothing to take up again. */
export const NOTHING_FAILED = "nothing to do: no task has failed or was stopped";
