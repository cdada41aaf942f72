// An argument list read against a row of the command table.

import { type ParseArgsConfig, parseArgs } from "node:util";
import type { CommandRow, OptionRow } from "./command-row.ts";
import type { ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";

/** One verb with its arguments. Asking for an option the verb does not have is a bug and throws. */
export interface Invocation {
  readonly verb: string;
  /** Positional arguments; what follows `--` is among them. */
  readonly positionals: readonly string[];
  /** Whether a flag was given. */
  has(flag: string): boolean;
  /** The last value of an option; undefined when it was not given. */
  value(option: string): string | undefined;
  /** All values of an option in order. */
  values(option: string): readonly string[];
}

/** What a verb's module exports as `command`. Expected trouble is printed and becomes the exit code. */
export type Command = (invocation: Invocation, io: Io) => Promise<ExitCode>;

/** A wrong argument list. */
export type UsageProblem =
  | { readonly type: "unknown-option"; readonly option: string }
  | { readonly type: "missing-value"; readonly option: OptionRow }
  | { readonly type: "no-value-expected"; readonly option: OptionRow; readonly value: string }
  | { readonly type: "bad-choice"; readonly option: OptionRow; readonly value: string }
  | { readonly type: "too-few"; readonly found: number }
  | { readonly type: "too-many"; readonly argument: string };

type Parsed =
  | { readonly ok: true; readonly invocation: Invocation }
  | { readonly ok: false; readonly problem: UsageProblem };

/** Reads the arguments that follow the verb. `--help` among them makes everything else right. */
export function parseInvocation(
  row: CommandRow,
  options: readonly OptionRow[],
  args: readonly string[],
): Parsed {
  const byName = new Map(options.map((option) => [option.name, option]));
  const found = new Map<string, string[]>();
  const own = row.passThrough === true ? args.slice(0, firstPositional(options, args)) : args;
  const positionals = args.slice(own.length);
  if (positionals[0] === "--") positionals.shift();
  let problem: UsageProblem | undefined;
  let isLiteral = false;
  for (const token of tokens(options, own)) {
    if (token.kind === "option-terminator") isLiteral = true;
    if (token.kind === "positional") {
      if (!isLiteral && byName.has("param") && BARE_PARAM.test(token.value)) {
        found.set("param", [...(found.get("param") ?? []), token.value]);
      } else positionals.push(token.value);
    }
    if (token.kind !== "option") continue;
    const option = byName.get(token.name);
    problem ??= optionProblem(option, token);
    const values = found.get(token.name) ?? [];
    found.set(token.name, [...values, token.value ?? ""]);
  }
  const invocation = invocationOf(row, byName, positionals, found);
  if (!found.has("help")) problem ??= arityProblem(row, positionals);
  return problem === undefined || found.has("help")
    ? { ok: true, invocation }
    : { ok: false, problem };
}

/** `optimizer.lr=10.,1.`, the same as with `-p`: no selector has `=` without `@` or `/` before it. */
const BARE_PARAM = /^[A-Za-z_][\w.|-]*=/;

interface OptionToken {
  readonly rawName: string;
  readonly value: string | undefined;
}

function optionProblem(
  option: OptionRow | undefined,
  { rawName, value }: OptionToken,
): UsageProblem | undefined {
  if (option === undefined) return { type: "unknown-option", option: rawName };
  if (option.value === undefined) {
    return value === undefined ? undefined : { type: "no-value-expected", option, value };
  }
  if (value === undefined) return { type: "missing-value", option };
  if (option.choices !== undefined && !option.choices.includes(value)) {
    return { type: "bad-choice", option, value };
  }
  return undefined;
}

function arityProblem(row: CommandRow, positionals: readonly string[]): UsageProblem | undefined {
  const [fewest, most] = row.arity;
  if (positionals.length < fewest) return { type: "too-few", found: positionals.length };
  const surplus = positionals[most];
  return surplus === undefined ? undefined : { type: "too-many", argument: surplus };
}

function tokens(options: readonly OptionRow[], args: readonly string[]) {
  const config: NonNullable<ParseArgsConfig["options"]> = {};
  for (const { name, short, value } of options) {
    config[name] = {
      type: value === undefined ? "boolean" : "string",
      ...(short === undefined ? {} : { short }),
    };
  }
  return parseArgs({
    args: [...args],
    options: config,
    strict: false,
    allowPositionals: true,
    tokens: true,
  }).tokens;
}

/** Where the other program's command line begins: at `--` or at the first word that is no option. */
function firstPositional(options: readonly OptionRow[], args: readonly string[]): number {
  const first = tokens(options, args).find(({ kind }) => kind !== "option");
  return first?.index ?? args.length;
}

function invocationOf(
  row: CommandRow,
  byName: ReadonlyMap<string, OptionRow>,
  positionals: readonly string[],
  found: ReadonlyMap<string, readonly string[]>,
): Invocation {
  const values = (option: string): readonly string[] => {
    if (!byName.has(option)) throw new Error(`\`flow ${row.name}\` has no option --${option}`);
    return found.get(option) ?? [];
  };
  return {
    verb: row.name,
    positionals,
    has: (flag) => values(flag).length > 0,
    value: (option) => values(option).at(-1),
    values,
  };
}
