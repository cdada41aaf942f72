// The learned profiles on disk: one line per key, rewritten whole by rename.

import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { ProfileBook, type Row, type Sample } from "../policy/profile.ts";

/** The book as it was last saved; empty when there is none. Lines that are none are left out. */
export function readBook(path: string): ProfileBook {
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // The first start on this machine.
  }
  return new ProfileBook(
    text.split("\n").flatMap((line) => {
      const row = parseRow(line);
      return row === undefined ? [] : [row];
    }),
  );
}

export function writeBook(path: string, book: ProfileBook): void {
  const lines = exportRows(book).map((row) => `${JSON.stringify(row)}\n`);
  writeFileSync(`${path}.new`, lines.join(""), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** What a book knows for ever; what is seen of running jobs is not part of it. */
export const exportRows = (book: ProfileBook): readonly (readonly [string, Row])[] =>
  [...book.rows()]
    .filter(([, row]) => row.samples.length > 0 || row.floorBytes > 0)
    .map(([key, row]) => [key, { ...row, early: undefined }]);

function parseRow(line: string): readonly [string, Row] | undefined {
  try {
    const value = JSON.parse(line) as unknown;
    return rowOf(value);
  } catch {
    return undefined;
  }
}

/** One exported row; undefined for what is none. */
export function rowOf(value: unknown): readonly [string, Row] | undefined {
  if (!Array.isArray(value) || typeof value[0] !== "string") return undefined;
  const { samples, floorBytes } = (value[1] ?? {}) as Partial<Row>;
  if (!Array.isArray(samples) || typeof floorBytes !== "number") return undefined;
  return [value[0], { samples: samples.filter(isSample), early: undefined, floorBytes }];
}

function isSample(value: unknown): value is Sample {
  const { peakBytes, params } = (value ?? {}) as Partial<Sample>;
  return typeof peakBytes === "number" && peakBytes >= 0 && typeof params === "object";
}
