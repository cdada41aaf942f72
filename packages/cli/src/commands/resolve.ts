// `flow resolve SEL --lost|--done`: a person says what became of an attempt that nothing can be found
// out about. The only way out of that state; refused for what is known to run.

import { askRun, layout } from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import { describeOutcome } from "../report/run-view.ts";
import { outcomeOf, runningAttempts, takeUp, waitForResults } from "../run/running.ts";
import { openOne } from "../selection.ts";

/** How long the backend is given to say what it knows, before a person's word counts. */
const ASK_MS = 2000;

/** How long it may take until the word is on record. */
const RECORD_MS = 10_000;

export const command: Command = async (invocation, io) => {
  const as = invocation.has("done") ? "done" : "lost";
  if (invocation.has("done") === invocation.has("lost")) {
    io.stderr.write("flow: `flow resolve` needs either --lost or --done.\n");
    return EXIT.usage;
  }
  const opened = await openOne(invocation, io);
  if (!opened.ok) return opened.error;
  const { plan, task } = opened.value;
  const { root } = plan.project;
  const [attempt] = runningAttempts(root, [task]);
  if (attempt === undefined) {
    io.stderr.write(`flow: ${task.id} has no attempt whose end is unknown.\n`);
    return EXIT.usage;
  }
  if (attempt.isLookedAfter) {
    askRun(layout(root), attempt.run, { type: "resolve", task: task.id, as });
    await waitForResults(root, [attempt], RECORD_MS);
  } else {
    const code = await takeUp(
      [attempt],
      (run, [index]) => {
        setTimeout(() => {
          run.resolve(index ?? 0, as);
          setTimeout(() => run.leave("shutdown"), ASK_MS);
        }, ASK_MS);
      },
      invocation,
      io,
    );
    if (code !== EXIT.ok) return code;
  }
  const outcome = outcomeOf(root, attempt);
  if (invocation.has("json")) {
    const report = { task: task.id, run: attempt.run, serial: attempt.serial, outcome };
    io.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  } else if (outcome === undefined) {
    io.stderr.write(`flow: ${task.id} is running, so it was left alone; flow cancel stops it.\n`);
  } else {
    io.stderr.write(`${task.id}  ${describeOutcome(outcome)}\n`);
  }
  return outcome === undefined ? EXIT.outside : EXIT.ok;
};
