// Help, made from the command table.

import type { CommandGroup, CommandRow, OptionRow } from "./command-row.ts";
import { COMMAND_TABLE, GLOBAL_OPTIONS } from "./command-table.ts";
import { EXIT_MEANINGS } from "./exit-codes.ts";

const GROUPS: Readonly<Record<CommandGroup, string>> = {
  run: "Run",
  look: "Look, without changing anything",
  record: "Asking records",
  change: "Change what is recorded",
  file: "The flow file and flow itself",
};

/** Of the narrowest usual terminal. */
const WIDTH = 80;

const SELECTORS =
  "A selector (SEL) is a task, a glob, task@key=value, tag:x, a target's path; " +
  "+SEL with what it needs, SEL+ with what needs it, !SEL without it.";

/** The list of commands. */
export function generalHelp(): string {
  const groups = Object.entries(GROUPS).map(([group, title]) => {
    const rows = COMMAND_TABLE.filter((row) => row.group === group);
    return `${title}:\n${columns(rows.map(({ name, summary }) => [name, summary]))}`;
  });
  const codes = Object.entries(EXIT_MEANINGS).map(([code, meaning]) => [code, meaning] as const);
  return [
    "flow runs a graph of commands: only what changed, as many at once as fit.",
    "usage: flow [-C DIR] [-f FILE] COMMAND [OPTION…] [ARGUMENT…]",
    ...groups,
    wrap(SELECTORS, WIDTH).join("\n"),
    `Exit codes:\n${columns(codes)}`,
    "`flow help COMMAND` tells more about one.\n",
  ].join("\n\n");
}

/** Usage, options and examples of one command. */
export function commandHelp(row: CommandRow): string {
  const usage = ["flow", row.name, row.options.length > 0 ? "[OPTION…]" : "", row.positionals];
  const paragraphs = [
    wrap(`flow ${row.name}: ${row.summary}`, WIDTH).join("\n"),
    `usage: ${usage.filter((part) => part !== "").join(" ")}`,
  ];
  if (row.details !== undefined) paragraphs.push(wrap(row.details, WIDTH).join("\n"));
  const options = [...row.options, ...GLOBAL_OPTIONS];
  paragraphs.push(`Options:\n${columns(options.map((each) => [spelling(each), each.help]))}`);
  if (row.examples !== undefined) {
    paragraphs.push(`Examples:\n${row.examples.map((line) => `  ${line}`).join("\n")}`);
  }
  return `${paragraphs.join("\n\n")}\n`;
}

/** `-n, --jobs N` */
function spelling({ name, short, value }: OptionRow): string {
  const letter = short === undefined ? "    " : `-${short}, `;
  return `${letter}--${name}${value === undefined ? "" : ` ${value}`}`;
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const left = Math.max(...rows.map(([first]) => first.length));
  return rows
    .flatMap(([first, second]) =>
      wrap(second, WIDTH - left - 4).map(
        (line, index) => `  ${(index === 0 ? first : "").padEnd(left)}  ${line}`,
      ),
    )
    .join("\n");
}

function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
