// Task names where there is little room.

import { cut, displayWidth } from "./width.ts";

/**
 * A task's name in at most `columns` columns. It is cut in the middle of its axes, so that both the
 * template and what tells members apart at either end stay: `train@framework=to…,seed=0`. The
 * template is cut only when there is no room even for it.
 */
export function shortName(task: string, columns: number): string {
  if (displayWidth(task) <= columns) return task;
  const at = task.indexOf("@");
  const head = at < 0 ? task : task.slice(0, at + 1);
  const room = columns - displayWidth(head) - 1;
  if (at < 0 || room < 2) return cut(task, columns);
  const axes = [...task.slice(at + 1)];
  let first = 0;
  let last = axes.length;
  let used = 0;
  for (let fromEnd = true; first < last; fromEnd = !fromEnd) {
    used += displayWidth(axes[fromEnd ? last - 1 : first] ?? "");
    if (used > room) break;
    if (fromEnd) last -= 1;
    else first += 1;
  }
  return `${head}${axes.slice(0, first).join("")}…${axes.slice(last).join("")}`;
}

const BARE = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** An argument as a person can paste it into a shell. */
export function shellWord(argument: string): string {
  if (BARE.test(argument)) return argument;
  return `'${argument.replaceAll("'", `'\\''`)}'`;
}
