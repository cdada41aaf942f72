// The names of a command's profile: the command itself, then the command without what differs
// between the runs of a sweep, then its script.

import { basename } from "node:path";

/** Most exact first. */
export function commandKeys(argv: readonly string[]): readonly string[] {
  const exact = argv.join(" ");
  const family = argv.map(normalise).join(" ");
  const script = argv.find((word, at) => (at > 0 || argv.length === 1) && /\.\w+$/.test(word));
  const general = script === undefined ? basename(argv[0] ?? "") : basename(script);
  return [...new Set([`cmd ${exact}`, `family ${family}`, `script ${general}`])].map((key) =>
    key.slice(0, 500),
  );
}

/** Numbers among a command's options, which may explain its memory. */
export function commandNumbers(argv: readonly string[]): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  argv.forEach((word, at) => {
    const [, name, joined] = /^--?([A-Za-z][\w-]*)(?:=(.*))?$/.exec(word) ?? [];
    const value = joined ?? argv[at + 1];
    if (name !== undefined && value !== undefined && NUMBER.test(value))
      found[name] = Number(value);
  });
  return found;
}

const NUMBER = /^-?\d+(\.\d+)?(e-?\d+)?$/i;

function normalise(word: string): string {
  if (NUMBER.test(word)) return "#";
  const [, name, value] = /^(--?[A-Za-z][\w-]*)=(.*)$/.exec(word) ?? [];
  if (name !== undefined) return `${name}=${normalise(value ?? "")}`;
  return word.includes("/") ? basename(word) : word;
}
