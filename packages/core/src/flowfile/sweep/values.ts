// The text behind a `=` of the command line: one value, several with commas between them, or a
// range. Several make a sweep.

import type { Report } from "../../diagnostics/report.ts";
import type { ListNode, Node, ScalarNode } from "../document/node.ts";
import { spanOf } from "../document/node.ts";
import { readDocument } from "../document/read.ts";
import { expandRange } from "../range.ts";
import { scalarValue } from "../scalar.ts";

/** A piece of text of the command line and where it stands. */
export interface Piece {
  readonly text: string;
  readonly file: number;
  readonly start: number;
  readonly end: number;
}

/** Cut at a character outside brackets; behind a backslash it stands for itself. */
export function cut(piece: Piece, separator: "," | "|"): readonly Piece[] {
  const { text, file, start } = piece;
  const pieces: Piece[] = [];
  const add = (from: number, to: number): void => {
    pieces.push({ text: text.slice(from, to), file, start: start + from, end: start + to });
  };
  let [from, depth] = [0, 0];
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (character === "\\") at += 1;
    else if (character === "[" && (depth > 0 || at === from)) depth += 1;
    else if (character === "]" && depth > 0) depth -= 1;
    else if (character === separator && depth === 0) {
      add(from, at);
      from = at + 1;
    }
  }
  add(from, text.length);
  return pieces;
}

/** All values of `name`; one of them is no sweep. Reports what cannot be read and leaves it out. */
export function readValues(piece: Piece, name: string, report: Report): readonly Node[] {
  const pieces = cut(piece, ",");
  const [only] = pieces;
  if (only !== undefined && pieces.length === 1) return readPiece(only, report);
  const seen = new Set<string>();
  return pieces.flatMap((one, index) => {
    if (one.text === "") {
      report.error(
        "bad-value",
        piece,
        `value ${index + 1} of \`${name}\` is empty, in \`${piece.text}\``,
        { fix: "Take the comma away, or write one that belongs to a value as `\\,`." },
      );
      return [];
    }
    return readPiece(one, report).filter((node) => {
      const text = textOfValue(node);
      if (seen.has(text)) {
        report.error("duplicate-key", spanOf(node), `\`${name}\` has the value \`${text}\` twice`, {
          fix: "Keep one of them; values are compared as they are written.",
        });
        return false;
      }
      seen.add(text);
      return true;
    });
  });
}

/** One value, or those of a range. */
function readPiece(piece: Piece, report: Report): readonly Node[] {
  if (piece.text.startsWith("[")) {
    const node = readDocument(" ".repeat(piece.start) + piece.text, piece.file, report);
    return node === undefined ? [] : [node];
  }
  return expandRange(piece.text, piece, report).map((text) => scalarOf(text, piece));
}

/** The text of a piece as a plain scalar. */
export function scalarOf(text: string, { file, start, end }: Piece): ScalarNode {
  const plain = text.replaceAll(/\\([,|])/g, "$1");
  return { kind: "scalar", value: scalarValue(plain), text: plain, file, start, end };
}

const textOfValue = (node: Node): string =>
  node.kind === "list" ? `[${textsOf(node)}]` : node.kind === "scalar" ? node.text : "";

const textsOf = ({ items }: ListNode): string => items.map(textOfValue).join(", ");
