// `flow attach [RUN]`: shows a run as the terminal that started it does, from its journal. Watching
// changes nothing, and neither does ending it.

import {
  decodeJournal,
  layout,
  nodeFileSystem,
  nodeLocks,
  type RunEvent,
  type RunId,
  runId,
} from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import type { Io } from "../io.ts";
import { isEvent, liveRuns, recordedRuns } from "../record/runs.ts";
import { openReporter, outputMode, type Reporter } from "../report/reporter.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { rerunIn } from "../run/request.ts";
import { openSelection } from "../selection.ts";

const LOOK_MS = 150;

/** Read at a time. */
const PIECE = 1 << 20;

export const command: Command = async (invocation, io) => {
  const opened = await openSelection(invocation, io, []);
  if (!opened.ok) return opened.error;
  const { plan, secretValues } = opened.value;
  const { root, secrets } = plan.project;
  const chosen = chooseRun(root, invocation.positionals[0]);
  if ("problem" in chosen) {
    io.stderr.write(`flow: ${chosen.problem}\n`);
    return EXIT.outside;
  }
  const reporter = openReporter(
    {
      mode: outputMode(invocation, io),
      verbose: invocation.has("verbose"),
      color: invocation.value("color"),
      secrets,
      rerun: rerunIn(invocation),
      lagMs: (event) => Math.max(0, Date.now() - event.wall),
    },
    { ...io, env: { ...io.env, ...secretValues } },
  );
  try {
    return await watch(root, chosen.run, reporter, io);
  } finally {
    reporter.close();
  }
};

/** The named run, else the only one under way. */
function chooseRun(
  root: string,
  name: string | undefined,
): { readonly run: RunId } | { readonly problem: string } {
  if (name !== undefined) {
    const known = recordedRuns(root).some((run) => run === name);
    return known
      ? { run: runId(name) }
      : { problem: `there is no run ${sanitizeLine(name)} on record; flow history lists them.` };
  }
  const [first, ...others] = liveRuns(root);
  if (first === undefined) return { problem: "no run is under way; flow history lists past ones." };
  if (others.length === 0) return { run: first.run };
  const names = [first, ...others].map(({ run }) => run).join(", ");
  return { problem: `several runs are under way: ${names}. Say which one.` };
}

/** Passes on the journal's events until the run has ended, has died, or the person stops watching. */
async function watch(
  root: string,
  run: RunId,
  reporter: Pick<Reporter, "event">,
  io: Io,
): Promise<ExitCode> {
  const { journal, runLock } = layout(root);
  let stopped: ExitCode | undefined;
  const release = io.onSignal((signal) => {
    stopped ??= signal === "SIGINT" ? EXIT.interrupted : EXIT.terminated;
  });
  const follower = new JournalFollower(journal(run));
  try {
    while (stopped === undefined) {
      // Asked before the journal is read: the last events are written before the lock is free.
      const isLive = nodeLocks.isHeld(runLock(run));
      for (const event of follower.more()) {
        reporter.event(event);
        if (event.type === "run/ended") return event.exitCode as ExitCode;
      }
      if (!isLive) {
        io.stderr.write(`flow: run ${run} died; the next flow run takes up what it left.\n`);
        return EXIT.outside;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    io.stderr.write(`run ${run} goes on; flow attach ${run} shows it again\n`);
    return stopped;
  } finally {
    release();
  }
}

/** Reads a journal that grows. */
class JournalFollower {
  readonly #path: string;
  #offset = 0;
  #number = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Events added since the last call. */
  more(): readonly RunEvent[] {
    const events: RunEvent[] = [];
    for (;;) {
      const bytes = nodeFileSystem.readPart(this.#path, this.#offset, PIECE);
      if (bytes === undefined || bytes.length === 0) return events;
      const { records, end, lastNumber } = decodeJournal(bytes, this.#offset, this.#number);
      if (end === this.#offset) return events;
      this.#offset = end;
      this.#number = lastNumber;
      events.push(...records.filter(isEvent));
    }
  }
}
