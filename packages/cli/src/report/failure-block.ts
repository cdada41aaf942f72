// What a person needs to know about a failed task, on one screen: what ran, how it ended, its last
// words, a hint, what waits for it, how to run it again, where the log is. Equal failures of one
// template are told once.

import { formatBytes, formatDuration } from "@flow/core";
import type { Paint } from "./color.ts";
import { hintFor } from "./hints.ts";
import { type LastWords, lastWords, type ReadTail } from "./log-tail.ts";
import type { Mask } from "./mask.ts";
import { shellWord } from "./names.ts";
import { describeOutcome, type Failed } from "./run-view.ts";
import { sanitizeLine } from "./sanitize.ts";
import { SYMBOLS } from "./symbols.ts";
import { displayWidth } from "./width.ts";

export type Failure = Failed & { readonly node: string | undefined };

/**
 * The command line that runs one task again, or, without one, all that did not finish; undefined
 * when there is none for that.
 */
export type Rerun = (task: string | undefined) => readonly string[] | undefined;

/** What failure blocks are made with. */
export interface FailureContext {
  readonly paint: Paint;
  readonly mask: Mask;
  readonly readTail: ReadTail;
  readonly rerun: Rerun;
  /** A path as it is shown: relative to where the person is. */
  readonly displayPath: (path: string) => string;
}

/** Failures of one template that look the same. */
export interface FailureGroup {
  readonly first: Failure;
  readonly all: readonly Failure[];
  /** The end of the log that says most, with its path; undefined when there was no output. */
  readonly tail: LastWords | undefined;
}

const LAST_LINES = 8;
const SHOWN_BLOCKED = 3;

/** Groups by template, outcome and last line, numbers aside; the order of the first of each. */
export function groupFailures(
  failures: readonly Failure[],
  readTail: ReadTail,
): readonly FailureGroup[] {
  const groups = new Map<string, { first: Failure; all: Failure[]; tail: LastWords | undefined }>();
  for (const failure of failures) {
    const tail = lastWords(failure, readTail, LAST_LINES);
    const last = (tail?.lines.at(-1) ?? "").replaceAll(/\d+/g, "#");
    const key = JSON.stringify([failure.template, describeOutcome(failure.outcome), last]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: failure, all: [failure], tail });
    else group.all.push(failure);
  }
  return [...groups.values()];
}

/** The lines of one block. */
export function failureBlock(group: FailureGroup, context: FailureContext): readonly string[] {
  const { first, all, tail } = group;
  const { paint } = context;
  const lines = [headline(group, paint)];
  const field = (label: string, text: string): void => {
    lines.push(`    ${paint("dim", label.padEnd(7))}  ${text}`);
  };
  const clean = (text: string): string => context.mask(sanitizeLine(text));
  if (all.length > 1) {
    field("first", `${first.task}; the others: ${listed(all.slice(1).map(({ task }) => task))}`);
  }
  const message = "message" in first.outcome ? clean(first.outcome.message) : "";
  if (message !== "" && message !== describeOutcome(first.outcome)) field("what", message);
  const place = first.position === undefined ? "" : paint("dim", `  (${first.position})`);
  if (first.command !== undefined) field("ran", `${clean(first.command)}${place}`);
  else if (first.position !== undefined) field("at", first.position);
  if (tail !== undefined) {
    const stream = tail.path === first.stderr ? "stderr" : "stdout";
    const size = tail.isCut ? ` of ${formatBytes(tail.bytes)}` : "";
    field(stream, paint("dim", `${tail.isCut ? "last " : ""}${counted(tail.lines.length)}${size}`));
    for (const line of tail.lines) lines.push(`      ${paint("dim", "│")} ${context.mask(line)}`);
  }
  const hint = hintFor(first, tail?.lines ?? []);
  if (hint !== undefined) field("hint", hint);
  if (first.blocks.length > 0) field("blocks", listed(first.blocks));
  const again = context.rerun(first.task);
  if (again !== undefined) field("rerun", again.map(shellWord).join(" "));
  if (tail !== undefined) field("log", context.displayPath(tail.path));
  return lines;
}

/** `✖ train@seed=2   attempt 2 · gpu3 · 2m03s · exit 1` */
function headline({ first, all }: FailureGroup, paint: Paint): string {
  const { sign, style } = SYMBOLS[first.allowed ? "allowed" : "failed"];
  const name = all.length === 1 ? first.task : `${all.length} × ${first.template}, same error`;
  const facts = [
    first.attempt > 1 ? `attempt ${first.attempt}` : "",
    first.node ?? "",
    first.durationMs === undefined ? "" : formatDuration(first.durationMs),
    describeOutcome(first.outcome),
    first.allowed ? "allowed to fail" : "",
  ];
  const left = `${sign} ${name}`;
  const gap = " ".repeat(Math.max(2, 44 - displayWidth(left)));
  return `${paint(style, left)}${gap}${facts.filter((fact) => fact !== "").join(" · ")}`;
}

const counted = (lines: number): string => (lines === 1 ? "1 line" : `${lines} lines`);

/** `a, b, c and 4 more` */
function listed(names: readonly string[], shown: number = SHOWN_BLOCKED): string {
  const more = names.length - shown;
  const first = names.slice(0, shown).join(", ");
  return more > 0 ? `${first} and ${more} more` : first;
}
