// argv → the verb's module → exit code. Modules are loaded when their verb is used, so that a short
// command stays short.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import type { CommandRow } from "./command-row.ts";
import { ALIASES, COMMAND_TABLE, GLOBAL_OPTIONS } from "./command-table.ts";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import { type Command, parseInvocation } from "./invocation.ts";
import type { Io } from "./io.ts";

/** The module of each verb; the keys are the rows of the command table. */
export const COMMAND_MODULES: Readonly<Record<string, () => Promise<{ command: Command }>>> = {
  accept: () => import("./commands/accept.ts"),
  attach: () => import("./commands/attach.ts"),
  cancel: () => import("./commands/cancel.ts"),
  check: () => import("./commands/check.ts"),
  clean: () => import("./commands/clean.ts"),
  compare: () => import("./commands/compare.ts"),
  drill: () => import("./commands/drill.ts"),
  exec: () => import("./commands/exec.ts"),
  export: () => import("./commands/export.ts"),
  forget: () => import("./commands/forget.ts"),
  azure: () => import("./commands/azure.ts"),
  gpu: () => import("./commands/gpu.ts"),
  graph: () => import("./commands/graph.ts"),
  help: () => import("./commands/help.ts"),
  history: () => import("./commands/history.ts"),
  import: () => import("./commands/import.ts"),
  init: () => import("./commands/init.ts"),
  list: () => import("./commands/list.ts"),
  logs: () => import("./commands/logs.ts"),
  plan: () => import("./commands/plan.ts"),
  ps: () => import("./commands/ps.ts"),
  rerun: () => import("./commands/rerun.ts"),
  resolve: () => import("./commands/resolve.ts"),
  runs: () => import("./commands/runs.ts"),
  rm: () => import("./commands/rm.ts"),
  run: () => import("./commands/run.ts"),
  schema: () => import("./commands/schema.ts"),
  show: () => import("./commands/show.ts"),
  status: () => import("./commands/status.ts"),
  sub: () => import("./commands/sub.ts"),
  tag: () => import("./commands/tag.ts"),
  version: () => import("./commands/version.ts"),
  why: () => import("./commands/why.ts"),
};

/** Programs of other names that are verbs with arguments. */
const NICKNAMES: Readonly<Record<string, readonly string[]>> = {
  "glb-run": ["gpu", "run"],
  "glb-start": ["gpu", "start"],
};

/** The arguments of a program that was started by one of its other names. */
export const argumentsOf = (program: string, args: readonly string[]): readonly string[] => [
  ...(NICKNAMES[program] ?? []),
  ...args,
];

/** Runs one command line. Never throws: a bug is reported and exits with 3. */
export async function commandLine(args: readonly string[], io: Io): Promise<ExitCode> {
  try {
    return await dispatch(args, io);
  } catch (error) {
    const { reportCrash } = await import("./crash.ts");
    return reportCrash(error, io);
  }
}

const hasPlace = ({ options }: CommandRow): boolean => options.some(({ name }) => name === "dir");

const isFolder = (path: string): boolean =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** `-C` and `-f`, which tell the place, may also stand before the command. */
function placeBehind(args: readonly string[]): readonly string[] {
  let count = 0;
  for (; PLACE_OPTION.test(args[count] ?? ""); count++) {
    if (!/^-[Cf].|=/.test(args[count] ?? "")) count++;
  }
  const verb = args[count];
  return verb === undefined ? args : [verb, ...args.slice(0, count), ...args.slice(count + 1)];
}

const PLACE_OPTION = /^(-[Cf].*|--(dir|file)(=.*)?)$/;

async function dispatch(args: readonly string[], io: Io): Promise<ExitCode> {
  const [word = "help", ...rest] = placeBehind(args);
  const verb = ALIASES[word] ?? word;
  const row = COMMAND_TABLE.find(({ name }) => name === verb);
  const load = Object.hasOwn(COMMAND_MODULES, verb) ? COMMAND_MODULES[verb] : undefined;
  if (row === undefined || load === undefined) {
    const { reportUnknownVerb } = await import("./usage.ts");
    return reportUnknownVerb(word, io);
  }
  const parsed = parseInvocation(row, [...row.options, ...GLOBAL_OPTIONS], rest);
  if (!parsed.ok) {
    const { reportUsage } = await import("./usage.ts");
    return reportUsage(row, parsed.problem, io);
  }
  if (parsed.invocation.has("help")) {
    const { commandHelp } = await import("./help.ts");
    io.stdout.write(commandHelp(row));
    return EXIT.ok;
  }
  const folder = hasPlace(row) ? parsed.invocation.value("dir") : undefined;
  if (folder !== undefined && !isFolder(resolve(io.cwd, folder))) {
    const { reportNoFolder } = await import("./usage.ts");
    return reportNoFolder(folder, io);
  }
  const { command } = await load();
  return command(parsed.invocation, io);
}
