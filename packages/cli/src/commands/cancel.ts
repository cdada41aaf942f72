// `flow cancel SEL…`: asks running tasks to stop, or kills them with --force, whoever started them.
// What waits of them in runs under way is not started.

import { askRun, currentClaims, layout, nodeFileSystem, type Outcome, type Task } from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Command, Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { describeOutcome } from "../report/run-view.ts";
import { tasks } from "../report/summary.ts";
import {
  outcomeOf,
  type RunningAttempt,
  runningAttempts,
  takeUp,
  waitForResults,
} from "../run/running.ts";
import { openSelection } from "../selection.ts";

/** On top of the longest grace: until a run has seen the request and recorded the end. */
const SPARE_MS = 15_000;

export const command: Command = async (invocation, io) => {
  const opened = await openSelection(invocation, io);
  if (!opened.ok) return opened.error;
  const { root } = opened.value.plan.project;
  const { asked } = opened.value;
  const attempts = runningAttempts(root, asked);
  askRuns(root, asked, attempts, howOf(invocation));
  if (attempts.length === 0) {
    if (invocation.has("json")) io.stdout.write("[]\n");
    else io.stderr.write("none of these tasks is running\n");
    return EXIT.ok;
  }
  const code = await stop(root, attempts, invocation, io);
  const ends = attempts.map((attempt) => ({ attempt, outcome: outcomeOf(root, attempt) }));
  report(ends, invocation, io);
  if (code !== EXIT.ok) return code;
  return ends.every(({ outcome }) => outcome !== undefined) ? EXIT.ok : EXIT.outside;
};

const howOf = (invocation: Invocation): "forced" | "graceful" =>
  invocation.has("force") ? "forced" : "graceful";

/** Every run under way, because one that waits for another's attempt would start its own after it. */
function askRuns(
  root: string,
  asked: readonly Task[],
  attempts: readonly RunningAttempt[],
  how: "forced" | "graceful",
): void {
  const left = new Set(attempts.flatMap((one) => (one.isLookedAfter ? [] : [one.task.id])));
  const ids = asked.flatMap(({ id }) => (left.has(id) ? [] : [id]));
  if (ids.length === 0) return;
  const places = layout(root);
  for (const run of currentClaims(root).living()) {
    // A run that has recorded nothing yet has no folder, and hears nothing.
    if (nodeFileSystem.stat(places.run(run)) === undefined) continue;
    askRun(places, run, { type: "cancel", tasks: ids, how });
  }
}

async function stop(
  root: string,
  attempts: readonly RunningAttempt[],
  invocation: Invocation,
  io: Io,
): Promise<ExitCode> {
  const how = howOf(invocation);
  const left = attempts.filter(({ isLookedAfter }) => !isLookedAfter);
  const grace = Math.max(...attempts.map(({ task }) => task.stop.graceMs));
  io.stderr.write(
    how === "forced"
      ? `killing ${tasks(attempts.length)}\n`
      : `asking ${tasks(attempts.length)} to stop\n`,
  );
  const code =
    left.length === 0
      ? EXIT.ok
      : await takeUp(left, (run, indices) => run.cancel(indices, how), invocation, io);
  await waitForResults(root, attempts, grace + SPARE_MS);
  return code;
}

function report(
  ends: readonly { readonly attempt: RunningAttempt; readonly outcome: Outcome | undefined }[],
  invocation: Invocation,
  io: Io,
): void {
  if (invocation.has("json")) {
    const list = ends.map(({ attempt, outcome }) => ({
      task: attempt.task.id,
      run: attempt.run,
      serial: attempt.serial,
      outcome,
    }));
    io.stdout.write(`${JSON.stringify(list, null, 2)}\n`);
    return;
  }
  for (const { attempt, outcome } of ends) {
    const what = outcome === undefined ? "has not ended yet" : describeOutcome(outcome);
    io.stderr.write(`${attempt.task.id}  ${what}\n`);
  }
}
