// Explains why text is not YAML. Many such texts are shell or templates whose first character YAML
// takes for itself; those are shown again as they have to be written.

import type { Report } from "../../diagnostics/report.ts";
import type { Span } from "../../model/task.ts";

/** What the reader found wrong: the library's code, place and words. */
export interface YamlProblem {
  readonly code: string;
  readonly pos: readonly [number, number];
  readonly message: string;
}

const LEADING: Readonly<Record<string, string>> = {
  "!": "YAML reads a leading `!` as a tag",
  "&": "YAML reads a leading `&` as an anchor",
  "*": "YAML reads a leading `*` as an alias",
  "[": "YAML reads a leading `[` as the start of a list",
  "{": "YAML reads a leading `{` as the start of a map",
  ">": "YAML reads a leading `>` as the start of folded text",
  "|": "YAML reads a leading `|` as the start of literal text",
  "%": "YAML reserves a leading `%`",
  "@": "YAML reserves a leading `@`",
  "`": "YAML reserves a leading backquote",
};

const MESSAGES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "a tab indents this line",
  BAD_INDENT: "this line is indented unlike those it belongs to",
  BLOCK_AS_IMPLICIT_KEY: "there are two keys on one line",
  MULTILINE_IMPLICIT_KEY: "a key must stand on one line",
};

const FIXES: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "Indent with spaces.",
  BLOCK_AS_IMPLICIT_KEY: "Quote the text if it holds a colon followed by a space.",
  MULTILINE_IMPLICIT_KEY: "Check the indentation, and whether a `:` is missing.",
};

/** Reports `problem` in the terms of what was probably meant. */
export function explainYamlError(
  problem: YamlProblem,
  text: string,
  file: number,
  report: Report,
): void {
  const start = Math.min(problem.pos[0], Math.max(0, text.length - 1));
  const line = lineAround(text, start);
  if (explainTemplate(line, file, report)) return;
  if (isLeading(problem, line) && explainLine(line, file, report)) return;
  const quote = /closing ["'](?=quote)/.exec(problem.message)?.[0].at(-1);
  if (quote !== undefined) {
    const opening = text.lastIndexOf(quote, start - 1);
    const span = { file, start: opening, end: opening + 1 };
    report.error("yaml-syntax", span, "this quote is not closed", {
      fix: `Add the closing ${quote}, or quote the whole text with the other kind of quotes.`,
    });
    return;
  }
  const span = { file, start, end: Math.max(start + 1, problem.pos[1]) };
  const message = reword(problem);
  const code = problem.code === "TAG_RESOLVE_FAILED" ? "unknown-tag" : "yaml-syntax";
  const [prefix, value] = split(line.text);
  const isQuotedStart = message === MORE_TEXT && /^["']/.test(value);
  const fix = isQuotedStart
    ? `Quote all of it: ${prefix.trimStart()}${quoteYaml(value)}`
    : FIXES[problem.code];
  report.error(code, span, `this is not YAML: ${message}`, { fix });
}

const MORE_TEXT = "there is more text after a complete value";

/**
 * Was the leading character the reason? Lists and maps are often meant; only what follows a closed
 * one, as in `- [ -f x ] && make`, shows that it was not.
 */
function isLeading(problem: YamlProblem, line: Line): boolean {
  if (problem.code === "TAB_AS_INDENT") return false;
  const [, value] = split(line.text);
  const closing = { "[": "]", "{": "}" }[value.charAt(0)];
  if (closing === undefined) return true;
  let depth = 0;
  for (const [at, character] of [...value].entries()) {
    if (character === value.charAt(0)) depth += 1;
    if (character === closing) depth -= 1;
    if (depth === 0) return at < value.length - 1;
  }
  return false;
}

/**
 * Reports that YAML took the tag or anchor at the start of the value on the line of `at` for itself;
 * false when the line does not look like that.
 */
export function explainEaten(
  at: { readonly file: number; readonly start: number },
  text: string,
  report: Report,
): boolean {
  const line = lineAround(text, Math.max(0, at.start - 1));
  return /^[!&]/.test(split(line.text)[1]) && explainLine(line, at.file, report);
}

/** The same for a `!` inside brackets or braces; `span` is the text behind it. */
export function explainNegation(span: Span, text: string, report: Report): void {
  const start = Math.max(0, text.lastIndexOf("!", span.start));
  const negated = text.slice(start, span.end).trimEnd();
  report.error("yaml-eats-shell", { ...span, start }, LEADING["!"] ?? "", {
    fix: `If it is text, quote it: ${quoteYaml(negated)}`,
  });
}

/** The same for an anchor that nothing refers to, at the start of a list item. */
export function explainUnusedAnchor(
  at: { readonly file: number; readonly start: number },
  text: string,
  report: Report,
): void {
  const before = text.slice(Math.max(0, at.start - 200), at.start);
  if (/(?:^|\n)\s*(?:- +)+&\S+\s*$/.test(before)) explainEaten(at, text, report);
}

/** A text as a single-quoted YAML scalar. */
export function quoteYaml(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

interface Line {
  readonly start: number;
  readonly text: string;
}

function lineAround(text: string, offset: number): Line {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const end = text.indexOf("\n", start);
  return { start, text: text.slice(start, end === -1 ? undefined : end) };
}

/** The line without its indentation, dashes and key, and what comes before. */
function split(line: string): readonly [string, string] {
  const item = /^(\s*(?:- +)*(?:[\w.-]+: +)?)(.*\S)\s*$/.exec(line);
  return [item?.[1] ?? "", item?.[2] ?? ""];
}

function explainLine(line: Line, file: number, report: Report): boolean {
  const [prefix, value] = split(line.text);
  const message = LEADING[value.charAt(0)];
  if (message === undefined) return false;
  const start = line.start + prefix.length;
  report.error("yaml-eats-shell", { file, start, end: start + value.length }, message, {
    fix: `If it is text, quote it: ${prefix.trimStart()}${quoteYaml(value)}`,
  });
  return true;
}

function explainTemplate({ start, text }: Line, file: number, report: Report): boolean {
  const at = text.indexOf("${{");
  const before = text.slice(0, Math.max(0, at));
  if (at === -1 || !/[[{]/.test(before.replaceAll(/"[^"]*"|'[^']*'/g, ""))) return false;
  report.error(
    "template-in-flow",
    { file, start: start + at, end: start + at + 3 },
    "inside `[ ]` and `{ }` YAML reads the braces of a template as a map",
    { fix: `Quote the text that holds the template: ${quoteTemplates(text.trim())}` },
  );
  return true;
}

/** Quotes each word of a flow list or map that holds a template. */
function quoteTemplates(line: string): string {
  let result = "";
  let end = 0;
  for (const match of line.matchAll(/\$\{\{.*?\}\}/g)) {
    if (match.index < end) continue;
    let start = match.index;
    while (start > end && !/[\s,[\]{}"']/.test(line.charAt(start - 1))) start -= 1;
    let stop = match.index + match[0].length;
    while (stop < line.length && !/[,\]}"']/.test(line.charAt(stop))) {
      stop = line.startsWith("${{", stop) ? line.indexOf("}}", stop) + 2 : stop + 1;
    }
    const word = line.slice(start, stop);
    const isQuoted = /["']/.test(line.charAt(start - 1));
    result += line.slice(end, start) + (isQuoted ? word : `"${word.trimEnd()}"`);
    end = start + (isQuoted ? word : word.trimEnd()).length;
  }
  return result + line.slice(end);
}

function reword({ code, message }: YamlProblem): string {
  const closing = /end with a ([\]}])/.exec(message)?.[1];
  if (closing !== undefined) return `a \`${closing}\` is missing before this line`;
  if (message.endsWith("at node end")) return MORE_TEXT;
  const lower = message.charAt(0).toLowerCase() + message.slice(1);
  return MESSAGES[code] ?? lower;
}
