// The ranges of matrices and of the command line: `1..5`, inclusive.

import type { Report } from "../diagnostics/report.ts";
import type { Span } from "../model/task.ts";

/** The most members a matrix, and the most values a range may have. */
export const MAX_MEMBERS = 100_000;

/** The members of `1..5`, or the text itself when it is no range. */
export function expandRange(
  text: string,
  { file, start, end }: Span,
  report: Report,
): readonly string[] {
  const match = /^(-?\d+)\.\.(-?\d+)$/.exec(text);
  if (match === null) return [text];
  const span = { file, start, end };
  const [from, to] = [Number(match[1]), Number(match[2])];
  if (to < from) {
    report.error("bad-range", span, `the range ${text} is empty`, {
      fix: `Write ${to}..${from}.`,
    });
    return [];
  }
  if (to - from >= MAX_MEMBERS || !Number.isSafeInteger(to) || !Number.isSafeInteger(from)) {
    report.error("bad-range", span, `the range ${text} has more than ${MAX_MEMBERS} values`, {
      fix: "List fewer, or draw some with `sweep: { method: random, trials: … }`.",
    });
    return [];
  }
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
}
