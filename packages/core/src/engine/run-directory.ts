// A run's place on disk: its lock, its journal, what is left when it is over. Made at the first
// claim; a run that finds nothing to do leaves nothing.

import { JOURNAL_FORMAT } from "../journal/record.ts";
import type { HeldLock } from "../ports/locks.ts";
import { FLOW_PROTOCOL } from "./contract.ts";
import type { Layout } from "./layout.ts";
import { foldTraces } from "./open-traces.ts";
import type { Services } from "./services.ts";

/** `.flow/` is for its owner only. */
const STATE_MODE = 0o700;

/** How often a lock that somebody is just looking at is tried again. */
const LOCK_TRIES = 200;

export interface OpenRun {
  /** Journals the end, folds the run's traces, frees the lock. `last`: what waited for the flush. */
  close(last: readonly (() => void)[]): Promise<void>;
}

/** Makes the state's folders; throws what the disk throws. */
export function makeState(layout: Layout, files: Services["files"]): void {
  if (files.stat(layout.state) === undefined) files.makeDirectory(layout.state, STATE_MODE);
  for (const path of [layout.locks, layout.runs, layout.cache]) files.makeDirectory(path);
  files.write(`${layout.state}/.gitignore`, "*\n", { exclusive: true });
}

/** Throws what the disk throws, with nothing left open. */
export function openRun(services: Services): OpenRun {
  const { request, layout, files, recorder, clock } = services;
  const { run, ports, version } = request;
  makeState(layout, files);
  const lock = takeLock(services);
  files.makeDirectory(layout.run(run));
  files.write(`${layout.run(run)}/run.json`, `${JSON.stringify(runRecord(services))}\n`);
  files.remove(`${layout.cache}/evidence`);
  recorder.open(ports.openJournal(layout.journal(run)), {
    type: "journal/opened",
    format: JOURNAL_FORMAT,
    run,
    flow: version,
    host: ports.host,
    pid: ports.pid,
    wall: clock.wall(),
  });
  return { close: (last) => closeRun(services, lock, last) };
}

function runRecord({ request, clock }: Services): object {
  const { plan, run, file, inside } = request;
  return {
    run,
    file,
    protocol: FLOW_PROTOCOL,
    wall: clock.wall(),
    name: plan.project.name,
    workspace: plan.project.workspace,
    experiment: plan.project.experiment,
    params: plan.project.params,
    tasks: plan.tasks.length,
    inside,
  };
}

/** A reader that asks whether the lock is held holds it for a moment; so it is tried more than once. */
function takeLock({ request, layout }: Services): HeldLock {
  for (let tries = 0; tries < LOCK_TRIES; tries++) {
    const lock = request.ports.locks.take(layout.runLock(request.run), request.run);
    if (lock !== undefined) return lock;
  }
  throw new Error(`the lock of run ${request.run} is held by somebody else`);
}

async function closeRun(
  services: Services,
  lock: HeldLock,
  last: readonly (() => void)[],
): Promise<void> {
  const { request, layout, files, recorder, clock } = services;
  try {
    await recorder.close();
    for (const action of last) action();
    const summary = { run: request.run, endedWall: clock.wall() };
    files.write(`${layout.run(request.run)}/summary.json`, `${JSON.stringify(summary)}\n`);
    const folded = await foldTraces(request.traces, layout, request.ports);
    if (folded) files.remove(layout.runLock(request.run));
  } finally {
    lock.release();
  }
}
