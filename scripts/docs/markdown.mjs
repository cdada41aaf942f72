/** Pieces of Markdown. */

export const GENERATED =
  "<!-- Written by `npm run docs`; edit the sources it names, not this page. -->";

/** A table; cells are Markdown, bars in them are escaped. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${head.map(() => " --- ").join("|")}|`, ...rows.map(line)].join("\n");
}

export const code = (text) => `\`${text}\``;

/** Paragraphs with an empty line between and a newline at the end. */
export const page = (...parts) => `${parts.filter((part) => part !== "").join("\n\n")}\n`;
