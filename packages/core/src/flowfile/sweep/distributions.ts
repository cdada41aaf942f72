// Where the values of a random search come from: `uniform(0, 1)`, `loguniform(1e-5, 1e-1)`,
// `choice(a, b)`, a list, a range. A draw depends on the seed, the name and the number of the trial
// alone, so that more trials go on where fewer ended, and the same file gives the same trials.

import { hash } from "node:crypto";

/** A value for a number from 0 to below 1. */
export type Distribution = (share: number) => string;

/** How many arguments each function takes, and what it makes of them. */
const FUNCTIONS: Readonly<
  Record<
    string,
    { readonly usage: string; make(a: number, b: number, step: number): Distribution | undefined }
  >
> = {
  uniform: {
    usage: "uniform(0.1, 0.9)",
    make: (a, b) => (a < b ? (share) => digits(a + share * (b - a)) : undefined),
  },
  loguniform: {
    usage: "loguniform(1e-5, 1e-1)",
    make: (a, b) => (0 < a && a < b ? (share) => digits(a * (b / a) ** share) : undefined),
  },
  quniform: {
    usage: "quniform(0, 1, 0.25)",
    make: (a, b, step) =>
      a < b && step > 0
        ? (share) => digits(a + Math.floor(share * (Math.floor((b - a) / step + 1e-9) + 1)) * step)
        : undefined,
  },
  int: {
    usage: "int(1, 8)",
    make: (a, b) =>
      Number.isInteger(a) && Number.isInteger(b) && a <= b
        ? (share) => String(a + Math.floor(share * (b - a + 1)))
        : undefined,
  },
};

/** Names that other tools have for the same. */
const ALIASES: Readonly<Record<string, string>> = {
  log_uniform: "loguniform",
  q_uniform: "quniform",
  int_uniform: "int",
};

const DISTRIBUTIONS: readonly string[] = [...Object.keys(FUNCTIONS), "choice"];

/** The distribution that a text names; undefined for plain text, a problem for what is none. */
export function readDistribution(
  text: string,
): Distribution | undefined | { readonly problem: string } {
  const match = /^([A-Za-z_]\w*)\((.*)\)$/s.exec(text.trim());
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const name = ALIASES[match[1]] ?? match[1];
  const given = match[2].split(",").map((part) => part.trim());
  if (name === "choice")
    return given.includes("") ? { problem: "`choice` has an empty value" } : choice(given);
  const known = FUNCTIONS[name];
  if (known === undefined) {
    return {
      problem: `there is no distribution \`${match[1]}\`; there are ${DISTRIBUTIONS.join(", ")}`,
    };
  }
  const count = known.make.length;
  const numbers = given.map(Number);
  const [a = Number.NaN, b = Number.NaN, step = 0] = numbers;
  const fits = given.length === count && !given.includes("") && numbers.every(Number.isFinite);
  return (
    (fits ? known.make(a, b, step) : undefined) ?? { problem: `write it as \`${known.usage}\`` }
  );
}

/** One of these, each as likely. */
export const choice =
  (values: readonly string[]): Distribution =>
  (share) =>
    values[Math.floor(share * values.length)] ?? "";

/** The share of trial `number`, from 0 to below 1. */
export const shareOf = (seed: string, name: string, number: number): number =>
  Number.parseInt(hash("sha256", `${seed}\0${name}\0${number}`).slice(0, 12), 16) / 2 ** 48;

/** Six digits are enough to tell trials apart, and can be typed again. */
const digits = (value: number): string => String(Number(value.toPrecision(6)));
