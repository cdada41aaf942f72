// `flow runs [EXPR]`: what was tried and what came of it, one line a record. Changes nothing but what
// the cache remembers of records.

import {
  asNumber,
  bestRecords,
  currentClaims,
  FieldNames,
  fieldOf,
  groupRecords,
  type Layout,
  ok,
  type QueryProblem,
  type Result,
  type RunRecord,
  readBest,
  readFields,
  readOrder,
  recordId,
  sortRecords,
} from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Command, Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { type Column, fieldText, namedColumns, usualColumns } from "../record/columns.ts";
import { chooseRecords, openRecords, printQueryProblem } from "../record/records.ts";
import { paintFor } from "../report/color.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { shortNumber } from "../report/sparkline.ts";
import { type Cell, heading, table } from "../report/table.ts";

const DEFAULT_LIMIT = 20;

export const command: Command = async (invocation, io) => {
  const limit = invocation.value("limit");
  if (limit !== undefined && !/^[1-9]\d*$/.test(limit)) {
    io.stderr.write(`flow: --limit takes a whole number above 0, not \`${limit}\`\n`);
    return EXIT.usage;
  }
  const opened = await openRecords(invocation, io, true);
  if (!opened.ok) return opened.error;
  const { layout, attempts, records } = opened.value;
  const view = selectView(invocation, invocation.has("all") ? attempts : records);
  if (!view.ok) {
    printQueryProblem(view.error, io);
    return EXIT.usage;
  }
  const { chosen, group } = view.value;
  if (group.length > 0) showGroups(view.value, invocation, io);
  else if (invocation.has("ids")) {
    for (const record of limited(chosen, limit, Infinity)) io.stdout.write(`${recordId(record)}\n`);
  } else if (invocation.has("json")) {
    const shown = limited(chosen, limit, Infinity);
    io.stdout.write(`${JSON.stringify(shown.map(recordJson), null, 2)}\n`);
  } else showTable(view.value, limited(chosen, limit, DEFAULT_LIMIT), layout, invocation, io);
  return EXIT.ok;
};

/** What is to be shown of which records. */
interface View {
  readonly chosen: readonly RunRecord[];
  readonly columns: readonly string[];
  readonly group: readonly string[];
}

function selectView(invocation: Invocation, all: readonly RunRecord[]): Result<View, QueryProblem> {
  const found = chooseRecords(invocation.positionals, latestFirst(all));
  if (!found.ok) return found;
  const names = new FieldNames(all);
  const columns = readFields(invocation.value("cols"), names);
  if (!columns.ok) return columns;
  const group = readFields(invocation.value("group-by"), names);
  if (!group.ok) return group;
  const per = readFields(invocation.value("per"), names);
  if (!per.ok) return per;
  let chosen = found.value;
  const [best, sort] = [invocation.value("best"), invocation.value("sort")];
  if (best !== undefined) {
    const order = readBest(best, names);
    if (!order.ok) return order;
    chosen = bestRecords(chosen, order.value, per.value);
  }
  if (sort !== undefined) {
    const order = readOrder(sort, names);
    if (!order.ok) return order;
    chosen = sortRecords(chosen, order.value);
  }
  return ok({ chosen, columns: columns.value, group: group.value });
}

const latestFirst = (records: readonly RunRecord[]): readonly RunRecord[] =>
  [...records].sort((a, b) => b.began - a.began || b.serial - a.serial);

const limited = (
  records: readonly RunRecord[],
  limit: string | undefined,
  usual: number,
): readonly RunRecord[] => records.slice(0, limit === undefined ? usual : Number(limit));

const recordJson = (record: RunRecord): object => ({ id: recordId(record), ...record });

function showTable(
  { chosen, columns: fields }: View,
  shown: readonly RunRecord[],
  layout: Layout,
  invocation: Invocation,
  io: Io,
): void {
  if (shown.length === 0) {
    io.stderr.write("no record is like that\n");
    return;
  }
  const paint = paintFor(io.stdout, invocation.value("color"), io.env);
  const claims = currentClaims(layout.root);
  const isLive = ({ run }: RunRecord): boolean => claims.isLive(run);
  const columns: readonly Column[] =
    fields.length > 0 ? namedColumns(fields, layout) : usualColumns(shown, layout, paint, isLive);
  const rows = shown.map((record) => columns.map((column) => column.cell(record)));
  const titles = columns.map(({ title, right }): Cell => ({ text: title, right: right ?? false }));
  const isEmpty = columns.map((_, index) => rows.every((row) => row[index]?.text === ""));
  const kept = [titles, ...rows].map((row) => row.filter((_, index) => isEmpty[index] === false));
  io.stdout.write(table(kept, io.stdout.columns));
  const more = chosen.length - shown.length;
  if (more > 0) io.stderr.write(`… and ${more} more; --limit N shows them\n`);
}

/** One line for each group: how many, and mean and deviation of every number. */
function showGroups({ chosen, columns, group }: View, invocation: Invocation, io: Io): void {
  const inOrder = group
    .toReversed()
    .reduce((all, field) => sortRecords(all, { field, descending: false }), chosen);
  const groups = groupRecords(inOrder, group);
  const fields =
    columns.length > 0
      ? columns
      : new FieldNames(chosen).metrics.map((metric) => `metrics.${metric}`);
  const rows = groups.map((records) => ({
    group: Object.fromEntries(
      group.map((field) => [field, fieldOf(records[0] as RunRecord, field)]),
    ),
    count: records.length,
    values: Object.fromEntries(fields.map((field) => [field, statistics(records, field)])),
    first: records[0] as RunRecord,
  }));
  if (invocation.has("json")) {
    const json = rows.map(({ group: of, count, values }) => ({ group: of, count, values }));
    io.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
    return;
  }
  const titles = heading(
    ...group.map((field) => sanitizeLine(field.replace(/^params\./, ""))),
    "RUNS",
    ...fields.map((field) => sanitizeLine(field.replace(/^metrics\./, ""))),
  );
  const cells = rows.map(({ first, count, values }): readonly Cell[] => [
    ...group.map((field) => ({ text: fieldText(first, field) })),
    { text: String(count), right: true },
    ...fields.map((field) => ({ text: statisticsText(values[field]) })),
  ]);
  io.stdout.write(table([titles, ...cells], io.stdout.columns));
}

interface Statistics {
  readonly mean: number;
  /** Of a sample; 0 for one value. */
  readonly deviation: number;
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

function statistics(records: readonly RunRecord[], field: string): Statistics | undefined {
  const values = records.flatMap((record) => asNumber(fieldOf(record, field)) ?? []);
  if (values.length === 0) return undefined;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return {
    mean,
    deviation: values.length === 1 ? 0 : Math.sqrt(squares / (values.length - 1)),
    min: Math.min(...values),
    max: Math.max(...values),
    count: values.length,
  };
}

const statisticsText = (found: Statistics | undefined): string =>
  found === undefined ? "" : `${shortNumber(found.mean)} ± ${shortNumber(found.deviation)}`;
