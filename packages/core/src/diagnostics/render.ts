// Diagnostics as text: place, message, the line with carets under it, related places, what to do.
// Nothing of a file reaches the terminal unfiltered: control characters are shown as a replacement.

import type { Span } from "../model/task.ts";
import type { Diagnostic } from "./diagnostic.ts";
import type { SourceFile } from "./source.ts";
import { lineText, positionOf } from "./source.ts";

export interface RenderOptions {
  /** ANSI colours. @default false */
  readonly color?: boolean;
}

const MAX_WIDTH = 100;

/** One block per diagnostic, separated by empty lines; empty when there are none. */
export function renderDiagnostics(
  diagnostics: readonly Diagnostic[],
  sources: readonly SourceFile[],
  options: RenderOptions = {},
): string {
  const paint = options.color === true ? ansi : plain;
  return diagnostics.map((diagnostic) => block(diagnostic, sources, paint)).join("\n\n");
}

type Style = "error" | "warning" | "place" | "gutter" | "fix";
type Paint = (style: Style, text: string) => string;

const CODES: Readonly<Record<Style, string>> = {
  error: "1;31",
  warning: "1;33",
  place: "1",
  gutter: "2",
  fix: "36",
};

const plain: Paint = (_style, text) => text;
const ansi: Paint = (style, text) => `\u001b[${CODES[style]}m${text}\u001b[0m`;

function block(diagnostic: Diagnostic, sources: readonly SourceFile[], paint: Paint): string {
  const { severity, code, span, related, fix } = diagnostic;
  const head = `${paint(severity, severity)}: ${visible(diagnostic.message)} [${code}]`;
  const lines = [span === undefined ? head : `${place(span, sources, paint)}${head}`];
  if (span !== undefined) lines.push(...frame(span, sources, severity, paint));
  for (const other of related) {
    lines.push(`  ${place(other.span, sources, paint)}${visible(other.message)}`);
    lines.push(...frame(other.span, sources, "gutter", paint));
  }
  if (fix !== undefined) {
    const text = visible(fix).split("\n").join("\n       ");
    lines.push(`  ${paint("fix", "fix:")} ${text}`);
  }
  return lines.join("\n");
}

/** `f.yaml:3:7: `; empty when there is no such file, as in a graph that a program has built. */
function place(span: Span, sources: readonly SourceFile[], paint: Paint): string {
  const source = sources[span.file];
  if (source === undefined) return "";
  const { line, column } = positionOf(source, span.start);
  return `${paint("place", `${visible(source.path)}:${line}:${column}`)}: `;
}

/** The line of a span and the carets under its part on that line. */
function frame(
  span: Span,
  sources: readonly SourceFile[],
  style: Style,
  paint: Paint,
): readonly string[] {
  const source = sources[span.file];
  if (source === undefined || source.text === "") return [];
  const { line, column } = positionOf(source, span.start);
  const characters = [...lineText(source, line).replaceAll("\t", " ")];
  const covered = source.text.slice(span.start, span.end).split("\n", 1)[0] ?? "";
  const length = [...covered.trimEnd()].length;
  const first = Math.min(column - 1, characters.length);
  const last = Math.max(first + 1, Math.min(first + length, Math.max(characters.length, 1)));
  const cut = first > MAX_WIDTH - 20 ? first - 20 : 0;
  const shown = characters.slice(cut, cut + MAX_WIDTH);
  const end = Math.min(last, cut + MAX_WIDTH);
  const text = `${cut > 0 ? "…" : ""}${visible(shown.join(""))}${characters.length > cut + MAX_WIDTH ? "…" : ""}`;
  const pad = " ".repeat((cut > 0 ? 1 : 0) + width(characters.slice(cut, first)));
  const carets = "^".repeat(Math.max(1, width(characters.slice(first, end))));
  const number = String(line);
  const gutter = " ".repeat(number.length);
  return [
    `  ${paint("gutter", `${number} |`)} ${text}`.trimEnd(),
    `  ${paint("gutter", `${gutter} |`)} ${pad}${paint(style, carets)}`,
  ];
}

const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u;

/** Columns a terminal uses for these characters. */
function width(characters: readonly string[]): number {
  let columns = 0;
  for (const character of characters) {
    columns += WIDE.test(character) ? 2 : /\p{Mark}/u.test(character) ? 0 : 1;
  }
  return columns;
}

/** Control and direction-changing characters replaced, so that no file can drive the terminal. */
function visible(text: string): string {
  return text.replace(
    /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    "\ufffd",
  );
}
