// A command line with several values in some of its arguments to one command line per combination.

/** One job. */
export interface Combination {
  readonly argv: readonly string[];
  /** The arguments that vary, by their name. */
  readonly axes: ReadonlyMap<string, string>;
}

const MAX_VALUES = 100_000;

/**
 * `key=1,2` and `--key=1,2` vary, `1..5` is a range, `--key=[1, 2]` too; a list in `key=[1, 2]`, what
 * is quoted, and `\,` are one value. Returned as text: what cannot be expanded.
 */
export function expand(argv: readonly string[]): readonly Combination[] | string {
  let rows: readonly Combination[] = [{ argv: [], axes: new Map() }];
  for (const [position, argument] of argv.entries()) {
    const found = position === 0 ? undefined : alternatives(argument);
    if (typeof found === "string") return found;
    if (rows.length * (found?.values.length ?? 1) > MAX_VALUES) {
      return `\`${argument}\` makes more than ${MAX_VALUES} jobs`;
    }
    rows = rows.flatMap(({ argv: before, axes }) =>
      found === undefined
        ? [{ argv: [...before, argument], axes }]
        : found.values.map((value) => ({
            argv: [...before, `${found.before}${value}`],
            axes: new Map([...axes, [found.name, value]]),
          })),
    );
  }
  return rows;
}

/** Undefined for an argument that is itself only. */
function alternatives(
  argument: string,
):
  | { readonly name: string; readonly before: string; readonly values: readonly string[] }
  | string
  | undefined {
  const match = /^((--?|\+{0,2})([A-Za-z_][\w.@/-]*)=)(.+)$/s.exec(argument);
  const [, before = "", sign = "", name = "", text = ""] = match ?? [];
  if (match === null) return undefined;
  const isOption = sign.startsWith("-");
  const listed = isOption ? /^\[(.*)\]$/s.exec(text)?.[1] : undefined;
  const pieces = split(listed ?? text).map((piece) =>
    listed === undefined ? piece : piece.trim(),
  );
  const values = pieces.flatMap(range);
  if (values.includes("") && values.length > 1) {
    return `a value is empty in \`${argument}\`; take the comma away, or write \`\\,\` for one that belongs to the value`;
  }
  const backwards = pieces.find(
    (piece) => /^-?\d+\.\.-?\d+$/.test(piece) && range(piece).length === 0,
  );
  if (backwards !== undefined) return `the range \`${backwards}\` is empty or too long`;
  // Only programs that understand such overrides know what a backslash before a comma is.
  const plain = isOption ? values.map((value) => value.replaceAll("\\,", ",")) : values;
  if (plain.length === 1 && listed === undefined) {
    return plain[0] === text ? undefined : { name, before, values: plain };
  }
  return { name, before, values: plain };
}

/** At commas outside of brackets and quotes, not behind a backslash. */
function split(text: string): readonly string[] {
  const parts: string[] = [];
  let [from, depth, quote] = [0, 0, ""];
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at] ?? "";
    if (letter === "\\") at += 1;
    else if (quote !== "") quote = letter === quote ? "" : quote;
    else if (letter === '"' || letter === "'") quote = letter;
    else if ("[{(".includes(letter)) depth += 1;
    else if (")}]".includes(letter)) depth -= 1;
    else if (letter === "," && depth === 0) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  return [...parts, text.slice(from)];
}

function range(text: string): readonly string[] {
  const match = /^(-?\d+)\.\.(-?\d+)$/.exec(text);
  if (match === null) return [text];
  const [from, to] = [Number(match[1]), Number(match[2])];
  if (to < from || to - from >= MAX_VALUES) return [];
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index));
}
