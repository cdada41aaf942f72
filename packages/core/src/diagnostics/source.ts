// A source file as diagnostics need it: its text, and where an offset lies in it.

/** A file that took part in loading a project. */
export interface SourceFile {
  /** As shown to the user: relative to the project root where it lies inside. */
  readonly path: string;
  /** Without byte order mark; offsets of spans count its UTF-16 units. */
  readonly text: string;
}

/** A place as editors count: both from 1, the column in characters (code points). */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where `offset` lies. An offset beyond the end is the place after the last character. */
export function positionOf(source: SourceFile, offset: number): Position {
  const { text } = source;
  const end = Math.min(offset, text.length);
  let line = 1;
  let start = 0;
  for (;;) {
    const next = text.indexOf("\n", start);
    if (next === -1 || next >= end) break;
    line += 1;
    start = next + 1;
  }
  return { line, column: [...text.slice(start, end)].length + 1 };
}

/** The text of a line (counted from 1) without its line break; empty when there is no such line. */
export function lineText(source: SourceFile, line: number): string {
  let start = 0;
  for (let current = 1; current < line; current += 1) {
    const next = source.text.indexOf("\n", start);
    if (next === -1) return "";
    start = next + 1;
  }
  const end = source.text.indexOf("\n", start);
  return source.text.slice(start, end === -1 ? undefined : end).replace(/\r$/, "");
}
