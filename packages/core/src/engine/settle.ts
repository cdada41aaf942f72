// From an attempt's end to what it means: events read to the end, exit classified, targets checked,
// partial ones put away, the result written. Works from the attempt's record alone, so an attempt of
// a dead flow is settled the same way as one of our own.

import type { Exit, Outcome, StopReason } from "../model/outcome.ts";
import type { FileSystem } from "../ports/file-system.ts";
import {
  type AttemptRecord,
  type AttemptResult,
  type MetricSummary,
  RECORD_FORMAT,
} from "../record/attempt-record.ts";
import { recordMade } from "../record/made-files.ts";
import { summarise } from "../record/metrics.ts";
import { type ScriptEvent, ScriptEvents } from "../record/script-events.ts";
import { keepSeries } from "../record/series.ts";
import type { Inspector } from "../trace/inspect.ts";
import type { Trace } from "../trace/trace.ts";
import { checkpointState, endCheckpoint } from "./checkpoint.ts";
import { classify } from "./classify.ts";
import { ATTEMPT_FILES, type Layout } from "./layout.ts";
import { type Aside, dropAside, restoreAside } from "./targets.ts";

/** Bytes from the end of an output that are searched for signs of memory that ran out. */
const TAIL_BYTES = 8192;

/** What an attempt told while it ran, folded. */
export class AttemptStory {
  readonly events: ScriptEvents;
  readonly metrics: Record<string, MetricSummary> = {};
  readonly artifacts: string[] = [];
  readonly tags: Record<string, string> = {};
  done = false;
  requeue = false;
  progressed = false;
  checkpoint: { readonly path: string; readonly step: number | undefined } | undefined;

  constructor(events: ScriptEvents) {
    this.events = events;
  }

  /** Reads what is new and folds it; returns it for whoever shows it. */
  read(last = false): readonly ScriptEvent[] {
    const events = this.events.read(last);
    for (const event of events) this.#fold(event);
    return events;
  }

  #fold(event: ScriptEvent): void {
    if (event.kind === "done") this.done = true;
    else if (event.kind === "requeue") this.requeue = true;
    else if (event.kind === "progress") this.progressed = true;
    else if (event.kind === "metrics") summarise(this.metrics, event.values, event.step);
    else if (event.kind === "tag") this.tags[event.name] = event.value;
    else if (event.kind === "artifact") this.artifacts.push(event.path);
    else if (event.kind === "checkpoint") {
      this.progressed = true;
      this.checkpoint = { path: event.path, step: event.step };
    }
  }
}

export function openStory(
  record: AttemptRecord,
  directory: string,
  files: FileSystem,
): AttemptStory {
  const stdout = `${directory}/${ATTEMPT_FILES.stdout}`;
  return new AttemptStory(new ScriptEvents(record.task, directory, stdout, record.root, files));
}

export interface SettleRequest {
  readonly record: AttemptRecord;
  readonly directory: string;
  readonly exit: Exit;
  /** The stop flow asked for in this life of it; absent when none. */
  readonly stop: StopReason | undefined;
  /** Read to its end. */
  readonly story: AttemptStory;
  /** Unix milliseconds. */
  readonly wall: number;
}

export interface Settled {
  readonly result: AttemptResult;
  /** Sentences worth showing that change no result. */
  readonly warnings: readonly string[];
}

export async function settle(
  request: SettleRequest,
  inspector: Inspector,
  layout: Layout,
  files: FileSystem,
): Promise<Settled> {
  const { record, directory, exit, story } = request;
  const { task } = record;
  const judged = classify({
    exit,
    stop: request.stop,
    doneEvent: story.done,
    requeueEvent: story.requeue,
    hasCheckpoint: record.checkpoint !== undefined && !isEmpty(record.checkpoint, files),
    targetsMade: () => allTargetsMade(record, files),
    policy: task.requeue,
    tail: exit.code === 0 ? "" : tails(directory, files),
  });
  const warnings: string[] = [];
  if (exit.leaky) warnings.push("left processes behind when it ended; they were killed");
  const { outcome, trace, changed } =
    judged.type === "success"
      ? await checkTargets(record, exit, inspector)
      : { outcome: judged, trace: undefined, changed: [] };
  if (changed.length > 0) {
    warnings.push(`${changed.join(", ")} changed while it ran, so it counts as stale`);
  }
  const progressed = story.progressed || checkpointChanged(record, files);
  const result = resultOf(request, outcome, trace, progressed);
  putAway(request, outcome, layout, files);
  recordMade(record, layout, files);
  keepSeries(record, directory, files);
  return { result, warnings };
}

function resultOf(
  { record, exit, story, wall }: SettleRequest,
  outcome: Outcome,
  trace: Trace | undefined,
  progressed: boolean,
): AttemptResult {
  return {
    format: RECORD_FORMAT,
    key: record.key,
    outcome,
    exit,
    durationMs: exit.durationMs,
    progressed,
    wall,
    trace,
    metrics: story.metrics,
    checkpoint: story.checkpoint,
    artifacts: story.artifacts,
    tags: Object.keys(story.tags).length === 0 ? undefined : story.tags,
  };
}

/** The result of an attempt that its backend never took. */
export const resultWithoutExit = (
  record: AttemptRecord,
  outcome: Outcome,
  wall: number,
): AttemptResult => ({
  format: RECORD_FORMAT,
  key: record.key,
  outcome,
  exit: undefined,
  durationMs: undefined,
  progressed: false,
  wall,
  trace: undefined,
  metrics: {},
  checkpoint: undefined,
  artifacts: [],
});

async function checkTargets(
  record: AttemptRecord,
  exit: Exit,
  inspector: Inspector,
): Promise<{ outcome: Outcome; trace: Trace | undefined; changed: readonly string[] }> {
  const { task } = record;
  const concluded = await inspector.conclude({
    key: task.key,
    task: task.id,
    file: task.file,
    run: record.run,
    serial: record.serial,
    durationMs: exit.durationMs ?? 0,
    endedAt: exit.endedAt ?? record.wall,
    targets: task.targets,
    values: task.values,
    inputs: record.inputs,
  });
  if (concluded.ok) {
    const trace = concluded.value;
    return { outcome: { type: "success" }, trace, changed: trace.changed };
  }
  const [first] = concluded.error;
  const missing = concluded.error.filter(({ kind }) => kind === "missing");
  const message =
    missing.length > 1
      ? `ended well but did not make ${missing.map(({ path }) => `\`${path}\``).join(", ")}`
      : (first?.message ?? "a target is not as declared");
  const kind = first?.kind === "missing" ? "target-missing" : "target-bad";
  return {
    outcome: { type: "failed", kind, code: exit.code, signal: undefined, message },
    trace: undefined,
    changed: [],
  };
}

/** Leaves the project as the outcome demands. */
function putAway(
  { record, directory, story }: SettleRequest,
  outcome: Outcome,
  layout: Layout,
  files: FileSystem,
): void {
  const aside = asideOf(record, directory);
  if (outcome.type === "success") {
    dropAside(record.task, aside, files);
    if (record.checkpoint !== undefined) endCheckpoint(record.task, record.checkpoint, files);
  } else {
    restoreAside(record.task, aside, layout, files);
  }
  // An empty scratch folder stays: removing one costs more than all the rest of a short attempt.
  const scratch = `${directory}/${ATTEMPT_FILES.scratch}`;
  const mayHold = story.events.found(ATTEMPT_FILES.scratch);
  if (mayHold && !isEmpty(scratch, files)) files.removeTree(scratch);
}

/** Where the attempt's old targets wait. */
export const asideOf = (record: AttemptRecord, directory: string): Aside => ({
  root: record.root,
  directory,
  serial: record.serial,
  moved: record.aside,
});

const isEmpty = (directory: string, files: FileSystem): boolean =>
  (files.list(directory)?.length ?? 0) === 0;

const checkpointChanged = (record: AttemptRecord, files: FileSystem): boolean =>
  record.checkpoint !== undefined &&
  checkpointState(record.checkpoint, files) !== record.checkpointState;

/** True when the task declares targets and every one that must be there is. */
function allTargetsMade({ task, root }: AttemptRecord, files: FileSystem): boolean {
  const needed = task.targets.filter(({ optional, update }) => !optional && !update);
  return (
    needed.length > 0 && needed.every(({ path }) => files.stat(`${root}/${path}`) !== undefined)
  );
}

function tails(directory: string, files: FileSystem): string {
  return [ATTEMPT_FILES.stderr, ATTEMPT_FILES.stdout]
    .map((name) => {
      const path = `${directory}/${name}`;
      const size = files.stat(path)?.size ?? 0;
      const bytes = files.readPart(path, Math.max(0, size - TAIL_BYTES), TAIL_BYTES);
      return bytes === undefined ? "" : Buffer.from(bytes).toString("utf8");
    })
    .join("\n");
}
