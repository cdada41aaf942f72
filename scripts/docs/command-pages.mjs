/** `cli.md` and `exit-codes.md`, from the command table. */
import { code, GENERATED, page, table } from "./markdown.mjs";

const GROUPS = {
  run: "Running",
  look: "Looking, without changing anything",
  change: "Changing what is recorded",
  file: "The flow file and flow itself",
};

const optionRow = ({ name, short, value, help, multiple }) => [
  `${short === undefined ? "" : `${code(`-${short}`)}, `}${code(`--${name}${value === undefined ? "" : ` ${value}`}`)}`,
  multiple ? `${help}; may be repeated` : help,
];

function command({ name, summary, positionals, options, details, examples, passThrough }) {
  const usage = ["flow", name, options.length > 0 ? "[OPTION…]" : "", positionals];
  return [
    `### flow ${name}`,
    `${summary[0].toUpperCase()}${summary.slice(1)}.`,
    `\`\`\`text\n${usage.filter((part) => part !== "").join(" ")}\n\`\`\``,
    details ?? "",
    passThrough ? "Options of flow come before the command; what follows belongs to it." : "",
    options.length > 0 ? table(["option", "meaning"], options.map(optionRow)) : "",
    examples === undefined ? "" : `\`\`\`sh\n${examples.join("\n")}\n\`\`\``,
  ].filter((part) => part !== "");
}

export function cliPage({ COMMAND_TABLE, GLOBAL_OPTIONS }) {
  const groups = Object.entries(GROUPS).flatMap(([group, title]) => [
    `## ${title}`,
    ...COMMAND_TABLE.filter((row) => row.group === group).flatMap(command),
  ]);
  return page(
    "# The command line",
    GENERATED,
    "Data goes to standard output, everything else to standard error. `flow help COMMAND` shows one command; the [exit codes](exit-codes.md) are the same for all.",
    "Every command has these options:",
    table(["option", "meaning"], GLOBAL_OPTIONS.map(optionRow)),
    "## Selectors",
    table(
      ["selector", "selects"],
      [
        ["`train`", "the task, all members of its matrix; a task's name or alias beats a path"],
        ["`tr*`", "tasks whose names match the glob"],
        ["`train@model=cnn`", "members with these axes; several: `train@model=cnn,seed=0`"],
        ["`tag:x`", "tasks with the tag"],
        ["`out/a.txt`", "the task that makes this target; relative to where you stand"],
        ["`+SEL`", "with all it needs"],
        ["`SEL+`", "with all that needs it"],
        ["`!SEL`", "without it"],
      ],
    ),
    ...groups,
  );
}

export function exitCodesPage({ EXIT_MEANINGS }) {
  return page(
    "# Exit codes",
    GENERATED,
    table(
      ["code", "meaning"],
      Object.entries(EXIT_MEANINGS).map(([exit, meaning]) => [code(exit), meaning]),
    ),
    "A failure of output or of a report never changes the code. A task with `allow_failure` that fails does not make it 1.",
  );
}
