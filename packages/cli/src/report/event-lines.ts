// What a run says once and never takes back, as lines: the words of the live and the plain output.

import { formatDuration, type Outcome, type RunEvent } from "@flow/core";
import { lastWords, type ReadTail } from "./log-tail.ts";
import type { Mask } from "./mask.ts";
import { describeOutcome, type RunView } from "./run-view.ts";
import { sanitizeLine } from "./sanitize.ts";

/** Whose symbol, word and style a line carries. */
export type LineKind =
  | "start"
  | "adopted"
  | "done"
  | "failed"
  | "allowed"
  | "again"
  | "cancelled"
  | "unknown"
  | "known"
  | "held"
  | "fresh"
  | "skipped"
  | "stale"
  | "removed"
  | "waiting"
  | "warning"
  | "stopping";

export interface EventLine {
  readonly kind: LineKind;
  /** Printable; the task's name comes first in it. */
  readonly text: string;
}

export interface LineContext {
  readonly verbose: boolean;
  readonly mask: Mask;
  readonly readTail: ReadTail;
  readonly displayPath: (path: string) => string;
}

const SHOWN_METRICS = 3;
const WAIT_WORTH_SAYING_MS = 1000;

/** The line for an event, after `view` has taken the event in; undefined when it has none. */
export function eventLine(
  event: RunEvent,
  view: RunView,
  context: LineContext,
): EventLine | undefined {
  const line = words(event, view, context);
  return line === undefined
    ? undefined
    : { kind: line.kind, text: context.mask(sanitizeLine(line.text)) };
}

function words(event: RunEvent, view: RunView, context: LineContext): EventLine | undefined {
  switch (event.type) {
    case "task/started": {
      if (event.adoptedSince === undefined) return { kind: "start", text: event.task };
      const age = formatDuration(event.wall - event.adoptedSince);
      return { kind: "adopted", text: `${event.task}, running for ${age}` };
    }
    case "task/done": {
      const metrics = metricsText(view.metricsOf(event.task));
      const time = formatDuration(event.durationMs);
      return { kind: "done", text: [event.task, time, metrics].filter(Boolean).join("  ") };
    }
    case "task/failed":
      return { kind: event.allowed ? "allowed" : "failed", text: failed(event, context) };
    case "task/again":
      return { kind: "again", text: again(event) };
    case "task/cancelled":
      // The run's own stop is said once for all.
      return view.stopping === undefined ? { kind: "cancelled", text: event.task } : undefined;
    case "task/unknown":
      return context.verbose || isFirstUnknown(event, view)
        ? { kind: "unknown", text: `${event.task}  ${event.why}` }
        : undefined;
    case "task/known":
      return context.verbose ? { kind: "known", text: `${event.task}, ${event.at}` } : undefined;
    case "task/held":
      return {
        kind: "held",
        text: `${event.task}  run ${event.by} is ${event.at === undefined ? "doing it" : `at ${event.at}, which makes or reads the same files`}; waiting for that`,
      };
    case "warning":
      return {
        kind: "warning",
        text: event.task === "" ? event.message : `${event.task}: ${event.message}`,
      };
    case "run/stopping":
      return { kind: "stopping", text: stopping(event) };
    case "task/waiting":
      return context.verbose ? { kind: "waiting", text: `${event.task}  ${event.why}` } : undefined;
    case "task/fresh":
      return context.verbose ? { kind: "fresh", text: event.task } : undefined;
    case "target/removed":
      return context.verbose
        ? { kind: "removed", text: `${event.path} of ${event.task}, no longer needed` }
        : undefined;
    case "task/skipped":
      return context.verbose
        ? { kind: "skipped", text: `${event.task}  not ${event.condition}` }
        : undefined;
    case "task/stale":
      return context.verbose
        ? { kind: "stale", text: `${event.task}: ${event.reasons.join("; ")}` }
        : undefined;
    default:
      return undefined;
  }
}

/** Whether of no other task the same is unknown: what is so of very many is worth one line. */
const isFirstUnknown = ({ task, why }: Unknown, { active }: RunView): boolean =>
  active.every((other) => other.task === task || other.status !== "unknown" || other.note !== why);

type Unknown = Extract<RunEvent, { type: "task/unknown" }>;

function failed(
  event: Extract<RunEvent, { type: "task/failed" }>,
  { readTail, displayPath }: LineContext,
): string {
  const after = event.durationMs === undefined ? "" : ` after ${formatDuration(event.durationMs)}`;
  // What never ran has written nothing; the logs that are there are an earlier attempt's.
  const log = event.durationMs === undefined ? undefined : lastWords(event, readTail, 1)?.path;
  const facts = [
    `${describeOutcome(event.outcome)}${after}`,
    event.blocks.length === 0 ? "" : `blocks ${event.blocks.length}`,
    log === undefined ? "" : `log ${displayPath(log)}`,
  ];
  return `${event.task}  ${facts.filter((fact) => fact !== "").join(" · ")}`;
}

/** What never ran has no output that would tell why. */
const ending = (outcome: Outcome): string =>
  outcome.type === "interrupted" && outcome.cause === "not-begun"
    ? `${describeOutcome(outcome)}: ${outcome.message}`
    : describeOutcome(outcome);

function again({
  task,
  outcome,
  retry,
  reason,
  delayMs,
}: Extract<RunEvent, { type: "task/again" }>): string {
  const which = retry === undefined ? `again (${reason})` : `retry ${retry.number}/${retry.max}`;
  const wait = delayMs < WAIT_WORTH_SAYING_MS ? "" : ` in ${formatDuration(delayMs)}`;
  return `${task}  ${ending(outcome)} · ${which}${wait}`;
}

function stopping({ how, running, graceMs }: Extract<RunEvent, { type: "run/stopping" }>): string {
  const what = running === 1 ? "1 task" : `${running} tasks`;
  if (running === 0) return "stopping: no task is running";
  return how === "forced"
    ? `killing ${what}; Ctrl-C again leaves them running`
    : `stopping: ${what} may take up to ${formatDuration(graceMs)}; Ctrl-C again kills, a third time leaves them running`;
}

/** `loss 0.213 acc 0.934`, at most three of them. */
export function metricsText(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .slice(0, SHOWN_METRICS)
    .map(([name, value]) => `${name} ${Number.isInteger(value) ? value : value.toPrecision(3)}`)
    .join(" ");
}
