// What the verbs of `flow azure` are given, and how they print.

import type { AzureOptions } from "@flow/backend-azure";
import { type Account, openAccount } from "@flow/backend-azure/manage";
import type { BackendContext, Result } from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import type { OpenedProject } from "../project.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { type Cell, table } from "../report/table.ts";

export interface AzureCall {
  /** What follows the verb. */
  readonly args: readonly string[];
  readonly invocation: Invocation;
  readonly io: Io;
  readonly project: OpenedProject;
  readonly context: BackendContext<unknown>;
}

export interface AzureVerb {
  /** Its arguments are selectors of tasks. */
  readonly selects?: true;
  run(call: AzureCall): Promise<ExitCode>;
}

/** The account of a call; undefined after the problem has been printed. */
export function accountOf({ context, io }: AzureCall): Account | undefined {
  const opened = openAccount(context as BackendContext<AzureOptions>);
  if (opened.ok) return opened.value;
  io.stderr.write(`flow: ${opened.error}\n`);
  return undefined;
}

/** Prints what was answered, as JSON or as a table (`nothing` says that it is empty), or why there is no answer. */
export function show<T>(
  { io, invocation }: AzureCall,
  answer: Result<readonly T[], string>,
  head: readonly string[],
  row: (item: T) => readonly string[],
  nothing: string,
): ExitCode {
  if (!answer.ok) return failed(io, answer.error);
  if (invocation.has("json")) {
    io.stdout.write(`${JSON.stringify(answer.value, null, 2)}\n`);
    return EXIT.ok;
  }
  const cells = (texts: readonly string[]): readonly Cell[] =>
    texts.map((text) => ({ text: sanitizeLine(text) }));
  const rows = answer.value.map((item) => cells(row(item)));
  if (rows.length > 0) io.stdout.write(table([cells(head), ...rows], undefined));
  else io.stderr.write(`${nothing}\n`);
  return EXIT.ok;
}

/** Says that something is done. */
export function done({ io }: AzureCall, answer: Result<unknown, string>, text: string): ExitCode {
  if (!answer.ok) return failed(io, answer.error);
  io.stderr.write(`${text}\n`);
  return EXIT.ok;
}

function failed(io: Io, problem: string): ExitCode {
  io.stderr.write(`flow: ${sanitizeLine(problem)}\n`);
  return EXIT.outside;
}

/** Says what is wrong with the arguments. */
export function misused({ io }: AzureCall, problem: string): ExitCode {
  io.stderr.write(`flow: ${problem}; see \`flow azure --help\`\n`);
  return EXIT.usage;
}

/** The value of an option as a whole number; undefined when it was not given or is none. */
export function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,4}$/.test(text) ? Number(text) : undefined;
}
