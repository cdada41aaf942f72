// Numbers that a program tells: read from JSON, and folded into one summary per name.

import type { MetricSummary } from "./attempt-record.ts";

/** Deepest object in which numbers are looked for. */
const DEEPEST = 8;

/** What Python's `json` writes for numbers that JSON does not have. */
const NOT_JSON = /(?<=[[{,:\s])(?:NaN|-?Infinity)(?=[\s,\]}])/g;

/** JSON as programs write it: Python's NaN and Infinity read as null. Undefined when it is no JSON. */
export function parseLoosely(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    if (!NOT_JSON.test(text)) return undefined;
  }
  try {
    return JSON.parse(text.replace(NOT_JSON, "null"));
  } catch {
    return undefined;
  }
}

/** The finite numbers of an object by name, those of objects inside it by dotted names. */
export function numbersIn(value: unknown, prefix?: string): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  const collect = (part: unknown, name: string, depth: number): void => {
    if (typeof part === "number" && Number.isFinite(part) && name !== "") found[name] = part;
    if (typeof part !== "object" || part === null || Array.isArray(part) || depth > DEEPEST) return;
    for (const [key, inner] of Object.entries(part)) {
      collect(inner, name === "" ? key : `${name}.${key}`, depth + 1);
    }
  };
  collect(value, prefix ?? "", 0);
  return found;
}

/** Folds metric events into one summary per name. */
export function summarise(
  summary: Record<string, MetricSummary>,
  values: Readonly<Record<string, number>>,
  step?: number,
): void {
  for (const [name, value] of Object.entries(values)) {
    const old = Object.hasOwn(summary, name) ? summary[name] : undefined;
    const count = (old?.count ?? 0) + 1;
    const mean = old?.mean ?? value;
    summary[name] = {
      first: old?.first ?? value,
      last: value,
      min: Math.min(value, old?.min ?? value),
      max: Math.max(value, old?.max ?? value),
      mean: mean + (value - mean) / count,
      count,
      minStep: old === undefined || value < old.min ? step : old.minStep,
      maxStep: old === undefined || value > old.max ? step : old.maxStep,
    };
  }
}

/** One summary for a series that two attempts have told, the earlier first. */
export function joinSummaries(earlier: MetricSummary, later: MetricSummary): MetricSummary {
  const count = earlier.count + later.count;
  const low = earlier.min <= later.min ? earlier : later;
  const high = earlier.max >= later.max ? earlier : later;
  return {
    first: earlier.first,
    last: later.last,
    min: low.min,
    max: high.max,
    mean: (earlier.mean * earlier.count + later.mean * later.count) / count,
    count,
    minStep: low.minStep,
    maxStep: high.maxStep,
  };
}
