// Choosing among records: an expression, an order, the best of each group.

import { didYouMean } from "../diagnostics/suggest.ts";
import { checkExpression } from "../flowfile/expression/check.ts";
import { evaluate } from "../flowfile/expression/evaluate.ts";
import { parseExpression } from "../flowfile/expression/parse.ts";
import type { ExpressionProblem } from "../flowfile/expression/syntax.ts";
import { err, ok, type Result } from "../model/result.ts";
import { compareValues, type FieldNames, fieldOf } from "./record-fields.ts";
import type { RunRecord } from "./run-record.ts";

/** What is wrong with a text that a person gave, and where. */
export interface QueryProblem extends ExpressionProblem {
  /** The whole text the place lies in. */
  readonly text: string;
}

/** Whether a record is meant by `text`. Names must mean something for at least one record. */
export function recordFilter(
  text: string,
  names: FieldNames,
): Result<(record: RunRecord) => boolean, QueryProblem> {
  const parsed = parseExpression(text);
  if (!parsed.ok) return err({ ...parsed.error, text });
  const [problem] = checkExpression(parsed.value, names);
  if (problem !== undefined) return err({ ...problem, text });
  return ok((record) => evaluate(parsed.value, (name) => fieldOf(record, name)));
}

/** A field, given as `params.lr`, or `-params.lr` for the largest first. */
export interface FieldOrder {
  readonly field: string;
  readonly descending: boolean;
}

/** `-duration`: a field with a direction. */
export function readOrder(text: string, names: FieldNames): Result<FieldOrder, QueryProblem> {
  const descending = text.startsWith("-");
  const field = descending ? text.slice(1) : text;
  const known = readField(field, names);
  if (known.ok) return ok({ field: known.value, descending });
  const shift = descending ? 1 : 0;
  const { start, end } = known.error;
  return err({ ...known.error, text, start: start + shift, end: end + shift });
}

/** `max:metrics.acc`, `min:metrics.loss`, also with a space. */
export function readBest(text: string, names: FieldNames): Result<FieldOrder, QueryProblem> {
  const [, direction, gap = "", field = ""] = /^(max|min)([:\s]\s*)(.+)$/.exec(text) ?? [];
  if (direction === undefined) {
    const message = "expected `max:FIELD` or `min:FIELD`";
    const fix = "Write for instance `max:metrics.acc`.";
    return err({ text, message, fix, start: 0, end: Math.max(1, text.length) });
  }
  const known = readField(field, names);
  if (known.ok) return ok({ field: known.value, descending: direction === "max" });
  const shift = direction.length + gap.length;
  const { start, end } = known.error;
  return err({ ...known.error, text, start: start + shift, end: end + shift });
}

/** A field that some record has. The prefix of a parameter or metric may be left out. */
function readField(text: string, names: FieldNames): Result<string, QueryProblem> {
  const field = [`params.${text}`, `metrics.${text}`, text].find((name) => names.has(name));
  if (field !== undefined) return ok(field);
  const fix = didYouMean(text, names.examples);
  const message = `\`${text}\` is no field of these records`;
  return err({ text, message, fix, start: 0, end: Math.max(1, text.length) });
}

/** A list of {@link readField}, separated by commas; empty without a text. */
export function readFields(
  text: string | undefined,
  names: FieldNames,
): Result<readonly string[], QueryProblem> {
  const fields: string[] = [];
  for (const name of text?.split(",") ?? []) {
    const field = readField(name.trim(), names);
    if (!field.ok) return field;
    fields.push(field.value);
  }
  return ok(fields);
}

/** A new array; records without the field come last in both directions. */
export function sortRecords(
  records: readonly RunRecord[],
  { field, descending }: FieldOrder,
): readonly RunRecord[] {
  const keyed = records.map((record) => ({ record, value: fieldOf(record, field) }));
  keyed.sort((a, b) => {
    const order = compareValues(a.value, b.value);
    const isMissing = [a.value, b.value].some((value) => value === undefined || value === null);
    return descending && !isMissing ? -order : order;
  });
  return keyed.map(({ record }) => record);
}

/** Records by their values of some fields, groups in the order they are met. */
export function groupRecords(
  records: readonly RunRecord[],
  fields: readonly string[],
): readonly (readonly RunRecord[])[] {
  const groups = new Map<string, RunRecord[]>();
  for (const record of records) {
    const key = JSON.stringify(fields.map((field) => fieldOf(record, field) ?? null));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [record]);
    else group.push(record);
  }
  return [...groups.values()];
}

/** The best record of each group; those without a value are nobody's best. */
export function bestRecords(
  records: readonly RunRecord[],
  best: FieldOrder,
  per: readonly string[],
): readonly RunRecord[] {
  const rated = records.filter((record) => (fieldOf(record, best.field) ?? null) !== null);
  return groupRecords(rated, per).flatMap((group) => sortRecords(group, best).slice(0, 1));
}

/** Parameters of which not all these records have the same value. */
export function varyingParams(records: readonly RunRecord[]): readonly string[] {
  const seen = new Map<string, Set<string | undefined>>();
  for (const { params } of records) {
    for (const name of Object.keys(params)) seen.set(name, new Set());
  }
  for (const { params } of records) {
    for (const [name, values] of seen) values.add(params[name]);
  }
  return [...seen].flatMap(([name, values]) => (values.size > 1 ? [name] : []));
}
