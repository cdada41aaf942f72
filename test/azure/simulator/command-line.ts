/**
 * Splits a command line into words as a node does: no shell, so nothing is expanded; single quotes, double
 * quotes and backslashes keep their usual meaning (assumed).
 */

/** Words of a command line; an open quote is an error. */
export function splitCommandLine(text: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (char === "'") {
      const end = closing(text, at);
      word = (word ?? "") + text.slice(at + 1, end);
      at = end;
    } else if (char === '"') {
      const end = closing(text, at);
      word = (word ?? "") + text.slice(at + 1, end).replaceAll(/\\(["\\$`])/g, "$1");
      at = end;
    } else if (char === "\\") word = (word ?? "") + (text[++at] ?? "");
    else word = (word ?? "") + char;
  }
  return word === undefined ? words : [...words, word];
}

function closing(text: string, start: number): number {
  const quote = text[start];
  for (let at = start + 1; at < text.length; at++) {
    if (quote === '"' && text[at] === "\\") at++;
    else if (text[at] === quote) return at;
  }
  throw new SyntaxError(`the quote at character ${start} is never closed`);
}
