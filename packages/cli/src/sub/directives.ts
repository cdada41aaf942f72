// The scheduler's directives in a job script: which scheduler it is for, what it asks of it, and what
// of that flow sets itself.

import { parseBytes } from "@flow/core";

/** Directive prefixes with the scheduler they belong to. */
const SCHEDULERS: Readonly<Record<string, string>> = {
  "#SBATCH": "SLURM",
  "#OAR": "OAR",
  "#PBS": "TORQUE or PBS",
  "#$": "SGE",
  "#MSUB": "Moab",
  "#BSUB": "LSF",
};

export interface Directives {
  /** Undefined without directives. */
  readonly scheduler: string | undefined;
  /** Options of `sbatch`, as they were written. */
  readonly options: readonly string[];
  /** Options that flow sets itself, left out. */
  readonly left: readonly string[];
  /** What a machine without a scheduler can use of them; undefined where the script says nothing. */
  readonly cpus: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly timeMs: number | undefined;
}

/** Names, output paths and arrays: flow finds its jobs by the first and makes the others. */
const FLOWS_OWN =
  /^(?:--(?:job-name|output|error|array|parsable|requeue|no-requeue|wait|wrap)(?:[= ]|$)|-[JoeaW])/;
const WITH_VALUE = /^(?:-[A-Za-z]|--[\w-]+)$/;
const FLAGS =
  /^--(?:parsable|requeue|no-requeue|wait|exclusive|oversubscribe|contiguous|hold|overcommit|spread-job|use-min-nodes|no-kill)$|^-[sHOkW]$/;

export function readDirectives(script: string): Directives {
  const lines = script.split("\n").map((line) => line.trim());
  const found = lines.flatMap((line) => {
    const [prefix = "", ...rest] = line.split(/\s+/);
    const scheduler = Object.hasOwn(SCHEDULERS, prefix) ? SCHEDULERS[prefix] : undefined;
    return scheduler === undefined ? [] : [{ scheduler, text: rest.join(" ") }];
  });
  const options = found.flatMap(({ text }) => pairs(words(text)));
  const value = (pattern: RegExp): string | undefined =>
    options.flatMap((option) => pattern.exec(option)?.[1] ?? []).at(-1);
  const cpus = Number(value(/^(?:-c ?|--cpus-per-task[= ])(\d+)$/) ?? Number.NaN);
  const memory = value(/^--mem[= ](\d+[KMGT]?)B?$/i);
  return {
    scheduler: found[0]?.scheduler,
    options: options.filter((option) => !FLOWS_OWN.test(option)).flatMap(argumentsOf),
    left: options.filter((option) => FLOWS_OWN.test(option)),
    cpus: Number.isNaN(cpus) ? undefined : cpus,
    memoryBytes: memory === undefined ? undefined : parseBytes(memoryText(memory)),
    timeMs: limitMs(value(/^(?:-t ?|--time[= ])([\d:-]+)$/)),
  };
}

/** Words of a line, quotes taken away, a comment left out. */
function words(text: string): readonly string[] {
  const found = text.match(/#.*|(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  const end = found.findIndex((word) => word.startsWith("#"));
  return found.slice(0, end === -1 ? undefined : end).map((word) => word.replaceAll(/["']/g, ""));
}

/** An option with its value as one text. */
function pairs(found: readonly string[]): readonly string[] {
  const options: string[] = [];
  for (const word of found) {
    const last = options.at(-1);
    const isValue =
      !word.startsWith("-") && last !== undefined && WITH_VALUE.test(last) && !FLAGS.test(last);
    if (isValue) options[options.length - 1] = `${last} ${word}`;
    else options.push(word);
  }
  return options;
}

function argumentsOf(option: string): readonly string[] {
  const space = option.indexOf(" ");
  const equals = option.indexOf("=");
  const isWhole = space === -1 || (equals !== -1 && equals < space);
  if (!option.startsWith("-") || isWhole) return [option];
  const [name, value] = [option.slice(0, space), option.slice(space + 1)];
  return name.startsWith("--") ? [`${name}=${value}`] : [name, value];
}

/** SLURM's memory is in MiB without a unit. */
const memoryText = (text: string): string =>
  /\d$/.test(text) ? `${text}MiB` : `${text.slice(0, -1)}${text.slice(-1).toUpperCase()}iB`;

/** `MM`, `MM:SS`, `HH:MM:SS`, `D-HH`, `D-HH:MM`, `D-HH:MM:SS`. */
function limitMs(text: string | undefined): number | undefined {
  const match = /^(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?$/.exec(text ?? "");
  if (match === null) return undefined;
  const [, days, ...parts] = match;
  const [a = 0, b = 0, c = 0] = parts.map((part) => (part === undefined ? 0 : Number(part)));
  const given = parts.filter((part) => part !== undefined).length;
  const seconds = days !== undefined || given === 3 ? a * 3600 + b * 60 + c : a * 60 + b;
  return (Number(days ?? 0) * 86_400 + seconds) * 1000;
}
