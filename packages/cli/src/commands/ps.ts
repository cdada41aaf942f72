// `flow ps`: what runs in this project right now, whoever started it. Writes nothing.

import {
  currentClaims,
  formatDuration,
  lastAttempt,
  layout,
  nodeFileSystem,
  type RunId,
  type StoredAttempt,
} from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import { liveRuns } from "../record/runs.ts";
import type { TaskState } from "../record/task-states.ts";
import { paintFor } from "../report/color.ts";
import type { ActiveTask } from "../report/run-view.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { STATE_SIGNS } from "../report/state-signs.ts";
import { type Cell, heading, table } from "../report/table.ts";
import { openSelection } from "../selection.ts";

interface RunningAttempt {
  readonly run: RunId;
  readonly attempt: StoredAttempt;
  /** What its run says of it; undefined when that run has died. */
  readonly active: ActiveTask | undefined;
  readonly state: TaskState;
}

export const command: Command = async (invocation, io) => {
  const opened = await openSelection(invocation, io, []);
  if (!opened.ok) return opened.error;
  const { root } = opened.value.plan.project;
  const attempts = runningAttempts(root);
  if (invocation.has("json")) {
    io.stdout.write(`${JSON.stringify(attempts.map(attemptJson), null, 2)}\n`);
    return EXIT.ok;
  }
  if (attempts.length === 0) {
    io.stderr.write("nothing is running\n");
    return EXIT.ok;
  }
  const paint = paintFor(io.stdout, invocation.value("color"), io.env);
  const rows = attempts.map(({ run, attempt, active, state }): readonly Cell[] => {
    const { word, style } = STATE_SIGNS[state];
    const { record } = attempt;
    return [
      { text: sanitizeLine(record?.task.id ?? "?") },
      { text: word, paint: (text) => paint(style, text) },
      { text: formatDuration(Date.now() - (record?.wall ?? 0)), right: true },
      { text: String(attempt.serial), right: true },
      { text: sanitizeLine(record?.backend ?? "?") },
      { text: run },
      { text: sanitizeLine(progressText(active)) },
    ];
  });
  const names = heading("TASK", "STATE", "SINCE", "ATTEMPT", "BACKEND", "RUN", "PROGRESS");
  io.stdout.write(table([names, ...rows], io.stdout.columns));
  for (const { view } of liveRuns(root)) {
    for (const [task, why] of view.waits) {
      io.stdout.write(`${sanitizeLine(task)} waits for ${sanitizeLine(why)}\n`);
    }
  }
  return EXIT.ok;
};

/** Attempts without a result whose task is claimed. */
function runningAttempts(root: string): readonly RunningAttempt[] {
  const views = new Map(liveRuns(root).map(({ run, view }) => [run, view]));
  return currentClaims(root)
    .all()
    .flatMap(({ task, run }): readonly RunningAttempt[] => {
      const attempt = lastAttempt(layout(root), task, nodeFileSystem);
      if (attempt === undefined || attempt.result !== undefined) return [];
      const view = views.get(run);
      const active = view?.active.find((one) => one.task === attempt.record?.task.id);
      const state = view === undefined ? "left" : (active?.status ?? "running");
      return [{ run, attempt, active, state }];
    })
    .sort((a, b) => (a.attempt.record?.wall ?? 0) - (b.attempt.record?.wall ?? 0));
}

function progressText(active: ActiveTask | undefined): string {
  const { progress, note } = active ?? {};
  if (note !== undefined) return note;
  const total = progress?.total === undefined ? "" : `/${progress.total}`;
  const count = progress?.done === undefined ? "" : `${progress.done}${total}`;
  return [count, progress?.unit, progress?.message].filter(Boolean).join(" ");
}

const attemptJson = ({ run, attempt, active, state }: RunningAttempt): object => ({
  task: attempt.record?.task.id,
  run,
  state,
  serial: attempt.serial,
  attempt: attempt.record?.attempt,
  since: attempt.record?.wall,
  backend: attempt.record?.backend,
  directory: attempt.directory,
  progress: active?.progress,
  metrics: active?.metrics,
});
