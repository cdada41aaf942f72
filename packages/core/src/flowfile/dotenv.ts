// Files of `NAME=value` lines.

import type { Report } from "../diagnostics/report.ts";

/**
 * The variables in a dotenv text, in its order. `export` in front and quotes around a value are
 * taken off; `\n` and the like mean something in double quotes only; `#` after white space starts a
 * comment; nothing is expanded.
 */
export function readDotenv(
  text: string,
  file: number,
  report: Report,
): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  let start = 0;
  for (const line of text.split("\n")) {
    const end = start + line.length;
    const content = line.trim();
    if (content !== "" && !content.startsWith("#")) {
      const match = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/.exec(content);
      if (match?.[1] === undefined) {
        report.error("bad-dotenv", { file, start, end }, "this line is not NAME=value", {
          fix: "Write one variable per line; start comments with `#`.",
        });
      } else {
        variables.set(match[1], unquote(match[2] ?? ""));
      }
    }
    start = end + 1;
  }
  return variables;
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

function unquote(text: string): string {
  const single = /^'([^']*)'\s*(?:#.*)?$/.exec(text);
  if (single?.[1] !== undefined) return single[1];
  const double = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/.exec(text);
  if (double?.[1] !== undefined) {
    return double[1].replace(/\\(.)/g, (_, character: string) => ESCAPES[character] ?? character);
  }
  return text.replace(/\s+#.*$/, "").trim();
}
