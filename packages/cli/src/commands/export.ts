// `flow export [EXPR]`: records for other programs. Writes only where it is told to.

import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { FieldNames, readFields } from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import { recordsAsCsv } from "../export/csv.ts";
import { writeMlxp } from "../export/mlxp.ts";
import type { Command } from "../invocation.ts";
import { recordDetails } from "../record/record-page.ts";
import { chooseRecords, openRecords, printQueryProblem } from "../record/records.ts";

export const command: Command = async (invocation, io) => {
  const opened = await openRecords(invocation, io);
  if (!opened.ok) return opened.error;
  const { layout, attempts, records } = opened.value;
  const all = invocation.has("all") ? attempts : records;
  const inOrder = [...all].sort((a, b) => a.began - b.began || a.serial - b.serial);
  const chosen = chooseRecords(invocation.positionals, inOrder);
  const columns = chosen.ok
    ? readFields(invocation.value("cols"), new FieldNames(chosen.value))
    : chosen;
  if (!chosen.ok || !columns.ok) {
    if (!columns.ok) printQueryProblem(columns.error, io);
    return EXIT.usage;
  }
  const to = invocation.value("to");
  const path = to === undefined ? undefined : resolve(io.cwd, to);
  const format = invocation.value("format") ?? "csv";
  if (format === "mlxp") {
    if (path === undefined) {
      io.stderr.write("flow: --format mlxp writes directories; say where with --to DIR\n");
      return EXIT.usage;
    }
    const numbers = writeMlxp(chosen.value, layout, path);
    io.stderr.write(`wrote ${counted(numbers.length)} to ${to}\n`);
    return EXIT.ok;
  }
  const text =
    format === "json"
      ? `${JSON.stringify(
          chosen.value.map((record) => recordDetails(record, layout)),
          null,
          2,
        )}\n`
      : recordsAsCsv(chosen.value, columns.value);
  if (path === undefined) io.stdout.write(text);
  else {
    writeFileSync(path, text);
    io.stderr.write(`wrote ${counted(chosen.value.length)} to ${to}\n`);
  }
  return EXIT.ok;
};

const counted = (count: number): string => (count === 1 ? "1 record" : `${count} records`);
