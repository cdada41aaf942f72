// The end of a run: one line of verdict, the failure blocks, what to do next.

import { formatDuration, type RunCounts } from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Paint } from "./color.ts";
import { type FailureContext, failureBlock, groupFailures } from "./failure-block.ts";
import { shellWord } from "./names.ts";
import { idleVerdict } from "./nothing-to-do.ts";
import type { RunView } from "./run-view.ts";

const MOST_BLOCKS = 10;

/** The lines that end a run's output; each block begins with an empty line. */
export function summary(view: RunView, context: FailureContext): readonly string[] {
  const { ended } = view;
  if (ended === undefined) return [];
  const lines = [verdict(view, context.paint)];
  const groups = groupFailures(view.failures, context.readTail);
  for (const group of groups.slice(0, MOST_BLOCKS)) {
    lines.push("", ...failureBlock(group, context));
  }
  if (groups.length > MOST_BLOCKS) {
    lines.push("", `… and ${groups.length - MOST_BLOCKS} more kinds of failure: flow status`);
  }
  const unfinished = unfinishedTasks(ended.counts);
  const command = context.rerun(undefined);
  if (unfinished > 0 && command !== undefined) {
    lines.push(
      "",
      `next   ${command.map(shellWord).join(" ")}   runs the ${tasks(unfinished)} that did not finish`,
    );
  }
  return lines;
}

/** `✖ 1 failed, 3 blocked · 83 done, 41 fresh · 44m10s · run 20261121-101530-k3f9` */
export function verdict(view: RunView, paint: Paint): string {
  const counts = view.counts;
  // Nothing was told of their end: the run could not write it down, or was told to leave them.
  const left = Math.min(waiting(counts), view.count("running", "queued"));
  const bad = [
    part(counts.failed, "failed"),
    part(counts.unknown, "unknown"),
    part(counts.blocked, "blocked"),
    part(counts.cancelled, "cancelled"),
    part(left, view.ended?.exitCode === EXIT.internal ? "not recorded" : "left running"),
    part(waiting(counts) - left, "not started"),
    part(counts.allowedFailures, "allowed to fail"),
  ].filter((text) => text !== "");
  const good = [
    part(counts.done, "done"),
    part(counts.fresh, "fresh"),
    part(counts.skipped, "skipped"),
    part(counts.pruned, "pruned"),
    part(view.retries, "retried"),
  ].filter((text) => text !== "");
  const isGood = view.ended?.exitCode === 0;
  const isIdle = isGood && counts.fresh === counts.total;
  const sign = isGood ? paint("good", "✔") : paint("bad", "✖");
  const time = formatDuration(view.elapsedMs);
  if (isIdle) return `${idleVerdict(counts.total, paint)} · ${time}`;
  const groups = [paint(isGood ? "strong" : "bad", bad.join(", ")), good.join(", ")];
  const run = view.started === undefined ? "" : `run ${view.started.run}`;
  return `${sign} ${[...groups, time, run].filter((text) => text !== "").join(" · ")}`;
}

/** Tasks that `--failed` would take up. */
function unfinishedTasks(counts: RunCounts): number {
  return counts.failed + counts.blocked + counts.cancelled + waiting(counts);
}

function waiting(counts: RunCounts): number {
  const { total, allowedFailures, ...others } = counts;
  return Math.max(0, total - allowedFailures - Object.values(others).reduce((a, b) => a + b, 0));
}

const part = (count: number, word: string): string => (count === 0 ? "" : `${count} ${word}`);

/** `1 task`, `12 tasks` */
export const tasks = (count: number): string => (count === 1 ? "1 task" : `${count} tasks`);
