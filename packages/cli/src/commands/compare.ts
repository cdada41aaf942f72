// `flow compare A B…`: in what records differ, down to the lines of code. Changes nothing.

import { recordId } from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Command } from "../invocation.ts";
import type { Io } from "../io.ts";
import {
  codeDifference,
  type ComparedSection,
  compareRecords,
  differences,
  type FileDifference,
} from "../record/comparison.ts";
import { findRecords, openRecords } from "../record/records.ts";
import { type Paint, paintFor } from "../report/color.ts";
import { sanitize, sanitizeLine } from "../report/sanitize.ts";
import { type Cell, table } from "../report/table.ts";

/** Lines of one file's difference that are shown without --all. */
const MOST_LINES = 60;

export const command: Command = async (invocation, io) => {
  const opened = await openRecords(invocation, io);
  if (!opened.ok) return opened.error;
  const found = findRecords(invocation.positionals, opened.value, io);
  if (!found.ok) return found.error;
  const records = found.value;
  const { layout } = opened.value;
  const isAll = invocation.has("all");
  const sections = compareRecords(records, layout);
  const shown = isAll ? sections : differences(sections);
  const [before, after] = records;
  const code =
    before === undefined || after === undefined || records.length > 2
      ? undefined
      : codeDifference(before, after, layout);
  if (invocation.has("json")) {
    const json = { records: records.map(recordId), differences: shown, code };
    io.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
    return EXIT.ok;
  }
  const paint = paintFor(io.stdout, invocation.value("color"), io.env);
  showSections(
    shown,
    records.map((record) => `${recordId(record)} ${record.task}`),
    paint,
    io,
  );
  const hasTrees = before?.code !== undefined && after?.code !== undefined;
  if (code !== undefined) showCode(code, isAll, paint, io);
  else if (records.length === 2 && hasTrees) {
    io.stderr.write("The code of one of the two was not kept, so its lines cannot be compared.\n");
  }
  return EXIT.ok;
};

function showSections(
  sections: readonly ComparedSection[],
  names: readonly string[],
  paint: Paint,
  io: Io,
): void {
  if (sections.length === 0) {
    io.stdout.write("no difference is on record\n");
    return;
  }
  const rows: (readonly Cell[])[] = [["", ...names].map((text) => ({ text: sanitizeLine(text) }))];
  for (const { title, lines } of sections) {
    rows.push([{ text: title, paint: (text) => paint("strong", text) }]);
    for (const { name, values } of lines) {
      const cells = values.map((value) => ({ text: value === "" ? "–" : sanitizeLine(value) }));
      rows.push([{ text: `  ${sanitizeLine(name)}` }, ...cells]);
    }
  }
  io.stdout.write(table(rows, io.stdout.columns));
}

const STYLES = { "-": "bad", "+": "good", "@": "active" } as const;

function showCode(files: readonly FileDifference[], isAll: boolean, paint: Paint, io: Io): void {
  for (const { path, change, diff } of files) {
    io.stdout.write(`\n${paint("strong", `${change} ${sanitizeLine(path)}`)}\n`);
    const lines = isAll ? diff : diff.slice(0, MOST_LINES);
    for (const line of lines) {
      const style = STYLES[line.charAt(0) as keyof typeof STYLES];
      const text = sanitize(line);
      io.stdout.write(`${style === undefined ? text : paint(style, text)}\n`);
    }
    const more = diff.length - lines.length;
    if (more > 0) io.stdout.write(`… ${more} more lines; --all shows them\n`);
  }
}
