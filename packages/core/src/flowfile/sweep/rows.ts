// Files with one combination of parameters per row: CSV with a header, or a YAML or JSON list of
// maps.

import type { Report } from "../../diagnostics/report.ts";
import type { Span } from "../../model/task.ts";
import type { MapNode, Node } from "../document/node.ts";
import { describe, spanOf } from "../document/node.ts";
import { readDocument } from "../document/read.ts";
import type { GivenRows } from "../overrides.ts";
import type { FileReader } from "../read-files.ts";
import { scalarOf } from "./values.ts";

/** The rows of a file; undefined after it has said what is wrong with it. */
export function readRows(path: string, reader: FileReader, report: Report): GivenRows | undefined {
  const read = reader.text(path, undefined, "no-params-file", "file of parameters");
  if (read === undefined) return undefined;
  const before = report.errors;
  const { text, index } = read;
  const found = /\.(?:ya?ml|json)$/.test(path)
    ? documentRows(text, index, report)
    : csvRows(text, index, report);
  if (found === undefined || report.errors > before) return undefined;
  if (found.rows.length > 0) return found;
  report.error("param-sweep", { file: index, start: 0, end: 0 }, "this file has no rows", {
    fix: "Write one line per combination below the names.",
  });
  return undefined;
}

function documentRows(text: string, file: number, report: Report): GivenRows | undefined {
  const node = readDocument(text, file, report);
  if (node === undefined) return undefined;
  if (node.kind !== "list") {
    report.error(
      "wrong-type",
      spanOf(node),
      `a file of rows is a list of maps, found ${describe(node)}`,
      {
        fix: "Write one map per combination: `- {lr: 0.1, seed: 1}`.",
      },
    );
    return undefined;
  }
  let names: GivenRows["names"] | undefined;
  const rows: (readonly Node[])[] = [];
  for (const item of node.items) {
    if (item.kind !== "map") {
      report.error("wrong-type", spanOf(item), `a row must be a map, found ${describe(item)}`);
      return undefined;
    }
    const cells = flatten(item, "");
    names ??= cells.map(({ name, span }) => ({ name, span }));
    const row = names.flatMap(({ name }) => cells.find((cell) => cell.name === name)?.value ?? []);
    if (row.length !== names.length || cells.length !== names.length) {
      report.error(
        "param-sweep",
        spanOf(item),
        `this row has ${listed(cells)}, the first one ${listed(names)}`,
        { fix: "Give every row a value for the same parameters." },
      );
      return undefined;
    }
    rows.push(row);
  }
  return { names: names ?? [], rows };
}

const listed = (names: readonly { readonly name: string }[]): string =>
  names.map(({ name }) => `\`${name}\``).join(", ");

interface Cell {
  readonly name: string;
  readonly span: Span;
  readonly value: Node;
}

function flatten(map: MapNode, prefix: string): readonly Cell[] {
  return [...map.entries].flatMap(([key, { key: keyNode, value }]) =>
    value.kind === "map"
      ? flatten(value, `${prefix}${key}.`)
      : [{ name: prefix + key, span: spanOf(keyNode), value }],
  );
}

function csvRows(text: string, file: number, report: Report): GivenRows | undefined {
  const [header, ...lines] = csvLines(text, file);
  if (header === undefined) return { names: [], rows: [] };
  const names = header.map(({ text: name, start, end }) => ({
    name: name.trim(),
    span: { file, start, end },
  }));
  const rows: (readonly Node[])[] = [];
  for (const cells of lines) {
    if (cells.length !== names.length) {
      const span = { file, start: cells[0]?.start ?? 0, end: cells.at(-1)?.end ?? 0 };
      report.error(
        "param-sweep",
        span,
        `this row has ${cells.length} value${cells.length === 1 ? "" : "s"}, the header ${names.length} names`,
        { fix: 'Put a value with commas in it between double quotes: "a,b".' },
      );
      return undefined;
    }
    rows.push(cells.map((cell) => scalarOf(cell.text, cell)));
  }
  return { names, rows };
}

interface CsvCell extends Span {
  readonly text: string;
}

/** Cells by line, without empty lines; quotes as RFC 4180 has them. */
function csvLines(text: string, file: number): readonly (readonly CsvCell[])[] {
  const lines: CsvCell[][] = [];
  let line: CsvCell[] = [];
  const cell = /("(?:[^"]|"")*"|[^,\r\n]*)(,|\r?\n|$)/gy;
  for (const match of text.matchAll(cell)) {
    const [, content = "", ending] = match;
    const isQuoted = content.startsWith('"') && content.length > 1 && content.endsWith('"');
    const plain = isQuoted ? content.slice(1, -1).replaceAll('""', '"') : content.trim();
    line.push({ text: plain, file, start: match.index, end: match.index + content.length });
    if (ending === ",") continue;
    if (line.length > 1 || content !== "") lines.push(line);
    line = [];
    if (ending === "") break;
  }
  return lines;
}
