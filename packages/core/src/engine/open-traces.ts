// The traces of a project as they are now: the file, overlaid with what runs that are still open, or
// died before they folded their results into it, have in their journals. Where the file is lost or
// damaged, the tasks' own records are asked.

import { readJournal } from "../journal/read-journal.ts";
import { parseAttemptKey, type RunId } from "../model/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { FileSystem } from "../ports/file-system.ts";
import type { HeldLock, Locks } from "../ports/locks.ts";
import { recordedSuccess, recordedTasks } from "../record/recorded-success.ts";
import { TraceStore } from "../trace/store.ts";
import { type Layout, runOfLock } from "./layout.ts";

/** Pause before a lock that another run holds for a moment is tried again, and how often. */
const LOCK_RETRY_MS = 10;
const LOCK_TRIES = 500;

/** Stretches of a run's journal that could not be read. */
export interface DamagedJournal {
  readonly run: RunId;
  readonly path: string;
  readonly bytes: number;
}

export interface OpenTraces {
  readonly traces: TraceStore;
  readonly damaged: readonly DamagedJournal[];
}

/** Never writes. */
export function openTraces(layout: Layout, files: FileSystem): OpenTraces {
  const traces = new TraceStore(files, layout.traces, (task) =>
    recordedSuccess(layout, task, files),
  );
  const damaged: DamagedJournal[] = [];
  for (const run of unfoldedRuns(layout, files)) {
    const bytes = overlayJournal(traces, layout, run, files);
    if (bytes > 0) damaged.push({ run, path: layout.journal(run), bytes });
  }
  if (traces.isIncomplete || damaged.length > 0) traces.recover(recordedTasks(layout, files));
  return { traces, damaged };
}

/**
 * Writes the store's changes into the file, together with those of runs that died unfolded, and
 * removes the lock files of the latter. False when another run kept the lock too long; nothing is
 * lost then, the next run folds.
 */
export async function foldTraces(
  traces: TraceStore,
  layout: Layout,
  ports: { readonly fileSystem: FileSystem; readonly locks: Locks; readonly clock: Clock },
): Promise<boolean> {
  const lock = await waitForLock(`${layout.locks}/traces`, ports);
  if (lock === undefined) return false;
  const { fileSystem: files } = ports;
  let dead: ReturnType<typeof deadRuns> = [];
  try {
    dead = deadRuns(layout, ports);
    for (const [run] of dead) overlayJournal(traces, layout, run, files);
    traces.absorb();
    traces.save();
    for (const [run] of dead) files.remove(layout.runLock(run));
    return true;
  } finally {
    for (const [, held] of dead) held.release();
    lock.release();
  }
}

/**
 * Runs that died and that no claim names, each with its lock. It is held until the file is gone, for
 * the file of a run that is just opening looks like that of a dead one.
 */
function deadRuns(
  layout: Layout,
  { fileSystem: files, locks }: { readonly fileSystem: FileSystem; readonly locks: Locks },
): readonly (readonly [RunId, HeldLock])[] {
  const claimed = claimHolders(layout, files);
  return unfoldedRuns(layout, files).flatMap((run) => {
    const held = claimed.has(run) ? undefined : locks.take(layout.runLock(run), "traces");
    return held === undefined ? [] : [[run, held] as const];
  });
}

async function waitForLock(
  path: string,
  { locks, clock }: { readonly locks: Locks; readonly clock: Clock },
): Promise<HeldLock | undefined> {
  for (let tries = 0; tries < LOCK_TRIES; tries++) {
    const lock = locks.take(path, "traces");
    if (lock !== undefined) return lock;
    await clock.sleep(LOCK_RETRY_MS);
  }
  return undefined;
}

const unfoldedRuns = (layout: Layout, files: FileSystem): readonly RunId[] =>
  (files.list(layout.locks) ?? []).flatMap(({ name }) => runOfLock(name) ?? []);

/** Runs that some claim still names. */
function claimHolders(layout: Layout, files: FileSystem): ReadonlySet<string> {
  const entries = files.list(layout.locks) ?? [];
  return new Set(
    entries
      .filter(({ kind }) => kind === "link")
      .map(({ name }) => files.readLink(`${layout.locks}/${name}`) ?? ""),
  );
}

/** Returns the number of damaged bytes. */
function overlayJournal(traces: TraceStore, layout: Layout, run: RunId, files: FileSystem): number {
  const { records, damage } = readJournal(layout.journal(run), files);
  for (const record of records) {
    if (record.type !== "attempt/ended" || record.trace === undefined) continue;
    const key = parseAttemptKey(record.key)?.task;
    if (key !== undefined) traces.overlay([[key, record.trace]]);
  }
  return damage.reduce((sum, { bytes }) => sum + bytes, 0);
}
