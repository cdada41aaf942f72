// Hides the values of secrets in what is shown or exported. Best effort: a program can print its
// secret in a form that nobody recognises; files on disk keep the raw bytes and are private.

/** Shorter values would hide half of every log. */
const SHORTEST = 6;

export const MASK = "***";

export type Mask = (text: string) => string;

/**
 * Replaces the values of the variables `names` in `env`: whole, each line of several, and in base64
 * and URL form.
 */
export function maskFor(
  names: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Mask {
  const values = new Set(names.flatMap((name) => forms(env[name] ?? "")));
  const longestFirst = [...values].sort((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((masked, value) => masked.replaceAll(value, MASK), text);
}

function forms(value: string): readonly string[] {
  const lines = value.split(/\r?\n/);
  return [value, ...lines]
    .filter((text) => text.length >= SHORTEST)
    .flatMap((text) => {
      const base64 = Buffer.from(text).toString("base64");
      return [text, base64, base64.replace(/=+$/, ""), encodeURIComponent(text)];
    });
}
