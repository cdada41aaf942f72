// Commands as texts that a shell reads from its standard input: nothing of them, and no secret, ever
// stands on a command line of the other machine. What stands there is the same to every shell that a
// person may have, and what that prints of its own accord is told from what the command prints.

/** A text as one word of a shell. */
export const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Delimits the command's own input; no line of a job script is like it. */
const END = "FLOW_END_OF_INPUT";

/** Fails with code 255 where the directory cannot be entered. */
export function shellText(
  argv: readonly string[],
  input: string,
  place: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): string {
  const exports = Object.entries(place.env).map(
    ([name, value]) => `export ${name}=${quote(value)}`,
  );
  const command = `exec ${argv.map(quote).join(" ")}`;
  const body = input.endsWith("\n") || input === "" ? input : `${input}\n`;
  return [
    `cd ${quote(place.cwd)} || exit 255`,
    ...exports,
    SAY_BEGIN,
    `${command} <<'${END}'`,
    `${body}${END}`,
    "",
  ].join("\n");
}

/** Stands between what the person's shell prints when it starts and what the command prints. */
const BEGIN = "FLOW_OUTPUT_BEGINS\n";
const SAY_BEGIN = `printf '${BEGIN.replace("\n", "\\n")}'; printf '${BEGIN.replace("\n", "\\n")}' >&2`;

/** What was printed since the command began; all of it when the command never did. */
export function sinceBegin(printed: string): string {
  const at = printed.indexOf(BEGIN);
  return at === -1 ? printed : printed.slice(at + BEGIN.length);
}

/** Hands on the bytes of which {@link sinceBegin} tells; none when the command never begins. */
export function bytesSinceBegin(output: (chunk: Buffer) => void): (chunk: Buffer) => void {
  let before: Buffer | undefined = Buffer.alloc(0);
  return (chunk) => {
    if (before === undefined) return output(chunk);
    before = Buffer.concat([before, chunk]);
    const at = before.indexOf(BEGIN);
    if (at === -1) return;
    const rest = before.subarray(at + BEGIN.length);
    before = undefined;
    if (rest.length > 0) output(rest);
  };
}

/**
 * A command line that runs a shell text in a directory, and the standard input of both: the text comes
 * first, read byte by byte so that what follows is left to the text.
 */
export function inDirectory(
  cwd: string,
  script: string,
  input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): { readonly command: string; readonly input: AsyncIterable<Uint8Array> } {
  const text = Buffer.from(`cd ${quote(cwd)} || exit 255\n${SAY_BEGIN}\n${script}\n`);
  const count = `dd bs=1 count=${text.length} 2>/dev/null`;
  return { command: `exec sh -c 'eval "$(${count})"'`, input: both(text, input) };
}

async function* both(
  first: Uint8Array,
  rest: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  yield first;
  yield* rest;
}
