// The one way by which text of tasks (and any other text flow did not write) reaches a terminal.
// What remains is printable: no escape sequence, no control character but newline and tab, nothing
// that changes the direction of writing.

/** ESC or its 8-bit forms, up to the end of the sequence; a string sequence ends at a newline too. */
const SEQUENCES =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c\r\n]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;

/**
 * Bell, other C1 controls, marks that reorder text (also the invisible ones), line separators that
 * are not newlines, interlinear annotation, tag characters.
 */
const INVISIBLE =
  /[\u0007\u0080-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** C0 controls but newline and tab, and DEL. */
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

const LONE_SURROGATES = /\p{Surrogate}/gu;

const ERASE = /[^\u0008]\u0008/;

/**
 * Readable text from hostile text. Newlines and tabs stay; of a line that was overwritten with
 * carriage returns (a progress bar) its last state stays; other controls become their pictures.
 */
export function sanitize(text: string): string {
  if (!/[^\n\t -~]/.test(text)) return text;
  return text
    .replaceAll(SEQUENCES, "")
    .split("\n")
    .map(lastState)
    .join("\n")
    .replaceAll(INVISIBLE, "")
    .replaceAll(CONTROLS, picture)
    .replaceAll(LONE_SURROGATES, "\ufffd");
}

/** The same as one line: newlines and tabs become spaces. */
export function sanitizeLine(text: string): string {
  return sanitize(text).replaceAll(/[\n\t]/g, " ");
}

/** What is left of a line after its carriage returns and backspaces. */
function lastState(line: string): string {
  const states = line.split("\r").filter((state) => state !== "");
  let state = states.at(-1) ?? "";
  if (!state.includes("\b")) return state;
  while (ERASE.test(state)) state = state.replaceAll(/[^\u0008]\u0008/g, "");
  return state.replaceAll("\b", "");
}

/** The Unicode picture of a control character: ␀ for NUL. */
function picture(control: string): string {
  const code = control.charCodeAt(0);
  return code === 0x7f ? "\u2421" : String.fromCharCode(0x2400 + code);
}

/** Bytes of a log as text; what is not UTF-8 becomes the replacement character. */
export function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
