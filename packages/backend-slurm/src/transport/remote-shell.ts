// A command as the text of a shell that reads it from its standard input: nothing of it, and no
// secret, ever stands on a command line of the other machine.

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
    `${command} <<'${END}'`,
    `${body}${END}`,
    "",
  ].join("\n");
}

/** A command line, for whatever shell the person has there, that runs a text in a directory. */
export const inDirectory = (cwd: string, script: string): string =>
  `exec sh -c ${quote(`cd ${quote(cwd)} || exit 255\n${script}`)}`;
