// How much longer a run takes, as a range: the work that is left, by the durations seen in this run,
// spread over the tasks it has been able to run at once. No guess without data.

import type { ActiveTask, RunView, TemplateView } from "./run-view.ts";

export type Range = readonly [lowMs: number, highMs: number];

/** Fewer samples say too little about the others of a template. */
const FEWEST_SAMPLES = 3;

/**
 * Milliseconds left at `nowMs` of the run; undefined while there is nothing to go by, and when all
 * that was expected has passed. Before there are samples, the estimate from past runs is used.
 */
export function timeLeft(view: RunView, nowMs: number): Range | undefined {
  const range = expectedLeft(view, nowMs);
  return range === undefined || range[1] <= 0 ? undefined : range;
}

function expectedLeft(view: RunView, nowMs: number): Range | undefined {
  const samples = view.templates.flatMap(({ durationsMs }) => durationsMs);
  const running = view.active.filter(({ status }) => status === "running");
  const known = running.every((task) => progressShare(task) !== undefined);
  if (samples.length < FEWEST_SAMPLES && !(known && running.length > 0 && isLast(view, running))) {
    return fromHistory(view, nowMs);
  }
  const low = workLeft(view, nowMs, 0.25, samples);
  const high = workLeft(view, nowMs, 0.75, samples);
  const wide = Math.max(1, view.started?.slots ?? 0, running.length);
  return [spread(low, wide), Math.max(spread(low, wide), spread(high, wide))];
}

const isLast = (view: RunView, running: readonly ActiveTask[]): boolean =>
  view.settled + running.length >= view.total;

/** Of the whole estimate, as much as there are tasks left: most that settle early are fresh. */
function fromHistory(view: RunView, nowMs: number): Range | undefined {
  const estimate = view.started?.estimateMs;
  if (estimate === undefined) return undefined;
  const share = view.total === 0 ? 0 : (view.total - view.settled) / view.total;
  const [low, high] = estimate.map((whole) => Math.max(0, whole * share - nowMs));
  return [low ?? 0, high ?? 0];
}

/** So many pieces of work of so many milliseconds. */
type Work = readonly [pieceMs: number, pieces: number];

/** Durations of the tasks that are left, the running ones by what is left of them. */
function workLeft(
  view: RunView,
  nowMs: number,
  share: number,
  samples: readonly number[],
): readonly Work[] {
  const fallback = quantile(samples, share);
  const expected = new Map(
    view.templates.map(({ name, durationsMs }) => [
      name,
      durationsMs.length === 0 ? fallback : quantile(durationsMs, share),
    ]),
  );
  const active = view.active.map(
    (task): Work => [left(task, nowMs, expected.get(task.template) ?? 0), 1],
  );
  const waiting = view.templates.map(
    (template): Work => [expected.get(template.name) ?? 0, waitingOf(template)],
  );
  return [...active, ...waiting];
}

function left(task: ActiveTask, nowMs: number, expectedMs: number): number {
  if (task.status !== "running") return expectedMs;
  const age = Math.max(0, nowMs - task.sinceMs);
  const done = progressShare(task);
  return done === undefined ? Math.max(0, expectedMs - age) : (age * (1 - done)) / done;
}

/** How much of it a running task says is done, in (0, 1]. */
function progressShare({ progress }: ActiveTask): number | undefined {
  if (progress?.done === undefined || progress.total === undefined) return undefined;
  if (!(progress.done > 0 && progress.total >= progress.done)) return undefined;
  return progress.done / progress.total;
}

function waitingOf({ size, counts }: TemplateView): number {
  let seen = 0;
  for (const count of counts.values()) seen += count;
  return Math.max(0, size - seen);
}

/** The time that work takes on `wide` places: never less than its longest piece. */
function spread(work: readonly Work[], wide: number): number {
  let sum = 0;
  let longest = 0;
  for (const [piece, pieces] of work) {
    sum += piece * pieces;
    if (pieces > 0) longest = Math.max(longest, piece);
  }
  return Math.max(longest, sum / wide);
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}
