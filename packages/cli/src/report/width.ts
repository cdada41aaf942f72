// How many columns text takes on a terminal. Terminals differ on emoji; this counts the most that
// any of them uses, so that a line that is cut to fit never wraps.

/** East Asian wide and fullwidth characters, and emoji. */
const WIDE =
  /[\u1100-\u115f\u231a\u231b\u2329\u232a\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2e80-\u303e\u3040-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{16fe0}-\u{18cff}]|[\u{1aff0}-\u{1b2ff}]|[\u{1f004}-\u{1faff}]|[\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;

/** Marks that every terminal puts over the character before; younger ones may take a column. */
const ZERO =
  /[\u0300-\u036f\u0483-\u0486\u0488\u0489\u0591-\u05bd\u064b-\u065e\u0e34-\u0e3a\u0e47-\u0e4e]|[\u200b-\u200d]|[\ufe00-\ufe0e]/u;

/** Turns the character before it into a wide emoji where the terminal knows that. */
const EMOJI_SELECTOR = "\ufe0f";

/** Columns of text without newlines, tabs or escape sequences. */
export function displayWidth(text: string): number {
  if (/^[ -~]*$/.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += characterWidth(character);
  return columns;
}

/** The longest beginning of `text` of at most `columns` columns, with `…` at its end when cut. */
export function cut(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  if (columns < 1) return "";
  return `${take(text, columns - 1)}…`;
}

/** Filled with spaces to `columns`; never cut. */
export function pad(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - displayWidth(text)));
}

function take(text: string, columns: number): string {
  let used = 0;
  let end = 0;
  for (const character of text) {
    used += characterWidth(character);
    if (used > columns) break;
    end += character.length;
  }
  return text.slice(0, end);
}

function characterWidth(character: string): number {
  if (character <= "~") return 1;
  if (character === EMOJI_SELECTOR) return 1;
  if (ZERO.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
