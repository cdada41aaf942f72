// Columns of text for listings.

import { cut, displayWidth } from "./width.ts";

export interface Cell {
  /** Printable, without colour. */
  readonly text: string;
  /** Puts colour on it, after it was fitted. */
  readonly paint?: (text: string) => string;
  /** To the right end of the column. */
  readonly right?: boolean;
}

const GAP = 2;

/**
 * Lines with aligned columns, each ended by a newline; the last column is cut at `width` columns
 * (undefined: never). Empty columns take no room.
 */
export function table(rows: readonly (readonly Cell[])[], width: number | undefined): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, { text }] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, displayWidth(text));
    }
  }
  return rows.map((row) => `${line(row, widths, width)}\n`).join("");
}

function line(row: readonly Cell[], widths: readonly number[], width: number | undefined): string {
  const last = row.findLastIndex(({ text }) => text !== "");
  let used = 0;
  let text = "";
  for (const [index, cell] of row.slice(0, last + 1).entries()) {
    const columns = widths[index] ?? 0;
    if (columns === 0) continue;
    if (used > 0) {
      text += " ".repeat(GAP);
      used += GAP;
    }
    const isLast = index === last;
    const room = width === undefined ? undefined : width - used;
    const fitted = isLast && room !== undefined ? cut(cell.text, Math.max(1, room)) : cell.text;
    const blank = " ".repeat(Math.max(0, columns - displayWidth(fitted)));
    const painted = cell.paint === undefined ? fitted : cell.paint(fitted);
    text += cell.right === true ? blank + painted : painted + (isLast ? "" : blank);
    used += columns;
  }
  return text;
}

/** A heading over columns; used with {@link table} as its first row. */
export const heading = (...names: readonly string[]): readonly Cell[] =>
  names.map((text) => ({ text }));
