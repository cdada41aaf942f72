// Explains why text is not YAML. Many such texts are shell or templates whose first character YAML
// takes for itself; those are shown again as they have to be written.

import type { Report } from "../../diagnostics/report.ts";

/** What the reader found wrong: the library's code, place and words. */
export interface YamlProblem {
  readonly code: string;
  readonly pos: readonly [number, number];
  readonly message: string;
}

const LEADING: Readonly<Record<string, string>> = {
  "!": "a tag",
  "&": "an anchor",
  "*": "an alias",
  "[": "a list",
  "{": "a map",
  "%": "a directive",
  "@": "a reserved character",
  "`": "a reserved character",
  ">": "folded text",
  "|": "literal text",
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
  const span = { file, start, end: Math.max(start + 1, problem.pos[1]) };
  const item = /^(\s*(?:- +)*(?:[\w.-]+: +)?)(.*\S)\s*$/.exec(line.text);
  const [prefix, value] = [item?.[1] ?? "", item?.[2] ?? ""];
  const inFlow = /^[[{]/.test(value) || /[[{][^\]}]*\$\{\{/.test(value.replaceAll("${{", "\u0000"));
  const template = line.text.indexOf("${{");
  if (template !== -1 && (inFlow || /[[{].*\$\{\{/.test(line.text)) && !/^\$\{\{/.test(value)) {
    report.error(
      "template-in-flow",
      { file, start: line.start + template, end: line.start + template + 3 },
      "inside `[ ]` and `{ }` YAML reads the braces of a template as a map",
      { fix: `Quote the text that holds the template: ${quoteAroundTemplates(line.text.trim())}` },
    );
    return;
  }
  const leading = LEADING[value[0] ?? ""];
  if (leading !== undefined && problem.code !== "TAB_AS_INDENT") {
    const at = line.start + prefix.length;
    report.error(
      "yaml-eats-shell",
      { file, start: at, end: at + value.length },
      `YAML reads a leading \`${value[0] ?? ""}\` as the start of ${leading}`,
      { fix: `If it is text, quote it: ${prefix.trimStart()}${quoteYaml(value)}` },
    );
    return;
  }
  if (problem.code === "TAG_RESOLVE_FAILED") {
    report.error(
      "unknown-tag",
      span,
      `${lower(problem.message)}; flow files use no tags of their own`,
    );
    return;
  }
  report.error("yaml-syntax", span, `this is not YAML: ${lower(problem.message)}`, {
    fix: fixFor(problem.code),
  });
}

/** A text as a single-quoted YAML scalar. */
export function quoteYaml(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function fixFor(code: string): string | undefined {
  if (code === "TAB_AS_INDENT") return "Indent with spaces.";
  if (code === "BLOCK_AS_IMPLICIT_KEY" || code === "MULTILINE_IMPLICIT_KEY") {
    return "Quote the text if it holds a colon followed by a space; else check the indentation.";
  }
  return undefined;
}

/** Puts quotes around the words of a flow list that hold templates. */
function quoteAroundTemplates(line: string): string {
  return line.replace(
    /[^\s,[\]{}"'][^,[\]{}"']*\$\{\{[^}]*\}\}[^,\]}"']*|\$\{\{[^}]*\}\}[^,\]}"']*/g,
    (word) => `"${word.trimEnd()}"${word.slice(word.trimEnd().length)}`,
  );
}

function lineAround(text: string, offset: number): { start: number; text: string } {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const end = text.indexOf("\n", start);
  return { start, text: text.slice(start, end === -1 ? undefined : end) };
}

function lower(message: string): string {
  return /^[A-Z][a-z]/.test(message) ? message.charAt(0).toLowerCase() + message.slice(1) : message;
}
