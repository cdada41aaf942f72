// Runs as their journals tell them: those under way and those that are over. Reads only.

import {
  currentClaims,
  type JournalRecord,
  layout,
  nodeFileSystem,
  type RunEvent,
  type RunId,
  readJournal,
  runId,
} from "@flow/core";
import { RunView } from "../report/run-view.ts";

/** A run that has a journal. */
export interface RecordedRun {
  readonly run: RunId;
  readonly view: RunView;
  /** Of the process that ran it, with the time it began (unix milliseconds). */
  readonly process:
    | { readonly pid: number; readonly host: string; readonly wall: number }
    | undefined;
  readonly flow: string | undefined;
}

/** Whether a journal's record is an event for screens. */
export const isEvent = (record: JournalRecord): record is RunEvent =>
  "seq" in record && typeof record.seq === "number";

/** Runs of the project that are under way, in the order they began. */
export function liveRuns(root: string): readonly RecordedRun[] {
  return currentClaims(root)
    .living()
    .toSorted()
    .map((run) => readRun(root, run));
}

/** All runs on record, the latest first. */
export function recordedRuns(root: string): readonly RunId[] {
  const entries = nodeFileSystem.list(layout(root).runs) ?? [];
  return entries
    .filter(({ kind }) => kind === "directory")
    .map(({ name }) => runId(name))
    .reverse();
}

/** A run as its journal tells it so far. */
function readRun(root: string, run: RunId): RecordedRun {
  const view = new RunView();
  let opened: Extract<JournalRecord, { type: "journal/opened" }> | undefined;
  for (const record of readJournal(layout(root).journal(run), nodeFileSystem).records) {
    if (isEvent(record)) view.apply(record);
    else if (record.type === "journal/opened") opened = record;
  }
  const process = opened && { pid: opened.pid, host: opened.host, wall: opened.wall };
  return { run, view, process, flow: opened?.flow };
}
