// What is wrong with a command line, and what was probably meant.

import { didYouMean } from "@flow/core";
import type { CommandRow, OptionRow } from "./command-row.ts";
import { COMMAND_TABLE, GLOBAL_OPTIONS } from "./command-table.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import type { UsageProblem } from "./invocation.ts";
import type { Io } from "./io.ts";
import { sanitizeLine } from "./report/sanitize.ts";

const PLACES: readonly string[] = ["-C", "-f", "--dir", "--file"];

export function reportUnknownVerb(typed: string, io: Io): ExitCode {
  const word = sanitizeLine(typed);
  const guess = didYouMean(
    word,
    COMMAND_TABLE.map(({ name }) => name),
  );
  const option = word.replace(/=.*|(?<=^-[Cf]).+/s, "");
  const what = !word.startsWith("-")
    ? `There is no command \`${word}\`.`
    : PLACES.includes(option)
      ? `\`${option}\` needs a value and a command behind it, as in \`flow -C DIR run\`.`
      : `\`${word}\` stands before the command; options but for -C and -f come after it, as in \`flow run ${word}\`.`;
  return complain(io, [what, guess, "`flow help` lists the commands."]);
}

/** Of a `-C`; a project further up is not what was meant. */
export const reportNoFolder = (folder: string, io: Io): ExitCode =>
  complain(io, [`\`-C ${sanitizeLine(folder)}\`: there is no such folder.`]);

export function reportUsage(row: CommandRow, problem: UsageProblem, io: Io): ExitCode {
  return complain(io, [...sentences(row, problem), `See \`flow help ${row.name}\`.`]);
}

function complain(io: Io, sentences: readonly (string | undefined)[]): ExitCode {
  io.stderr.write(`flow: ${sentences.filter((text) => text !== undefined).join(" ")}\n`);
  return EXIT.usage;
}

function sentences(row: CommandRow, problem: UsageProblem): readonly (string | undefined)[] {
  const options = [...row.options, ...GLOBAL_OPTIONS];
  switch (problem.type) {
    case "unknown-option":
      return [
        `\`flow ${row.name}\` has no option \`${sanitizeLine(problem.option)}\`.`,
        guessOption(problem.option, options),
      ];
    case "missing-value":
      return [`\`--${problem.option.name}\` needs a value: ${problem.option.help}.`];
    case "no-value-expected":
      return [
        `\`--${problem.option.name}\` takes no value, found \`${sanitizeLine(problem.value)}\`.`,
      ];
    case "bad-choice":
      return [
        `\`--${problem.option.name}\` is one of ${problem.option.choices?.join(", ")}, found \`${sanitizeLine(problem.value)}\`.`,
        didYouMean(problem.value, problem.option.choices ?? []),
      ];
    case "too-few":
      return [`\`flow ${row.name}\` needs ${row.positionals}.`];
    case "too-many":
      return [
        row.positionals === ""
          ? `\`flow ${row.name}\` takes no arguments, found \`${sanitizeLine(problem.argument)}\`.`
          : `\`flow ${row.name}\` takes ${row.positionals} only, found also \`${sanitizeLine(problem.argument)}\`.`,
      ];
  }
}

const LISTED = 3;

function listed(verbs: readonly string[]): string {
  const more = verbs.length - LISTED;
  const end = more > 0 ? ` and ${more} more` : "";
  return `${verbs.slice(0, LISTED).join(", ")}${end}`;
}

/** The nearest option of this verb, else the verbs that have the option. */
function guessOption(option: string, options: readonly OptionRow[]): string | undefined {
  const name = option.replace(/^-+/, "");
  const near = didYouMean(
    option,
    options.map((row) => `--${row.name}`),
  );
  if (near !== undefined) return near;
  const verbs = COMMAND_TABLE.filter((row) =>
    row.options.some((each) => each.name === name || (option.length === 2 && each.short === name)),
  ).map((row) => `\`flow ${row.name}\``);
  return verbs.length === 0 ? undefined : `It belongs to ${listed(verbs)}.`;
}
