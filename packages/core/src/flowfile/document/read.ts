// Bytes of a flow file, include or parameter file to a document: the bounds first, then the reader
// that fits.

import type { Report } from "../../diagnostics/report.ts";
import { readJson } from "./json.ts";
import type { Node } from "./node.ts";
import { readYaml } from "./yaml.ts";

const MAX_BYTES = 64 * 2 ** 20;
/** YAML takes a hundred times the time and memory of JSON. */
const MAX_YAML = 8 * 2 ** 20;
const MAX_DEPTH = 64;

/**
 * The text of a file, without byte order mark; undefined after it has said why it cannot be one.
 * `file` is the index it will have among the sources.
 */
export function decode(bytes: Uint8Array, path: string, report: Report): string | undefined {
  if (bytes.length > MAX_BYTES) {
    report.error(
      "file-too-large",
      undefined,
      `\`${path}\` has ${bytes.length} bytes; the limit is ${MAX_BYTES}`,
      { fix: "Split it with `include:`, or let a matrix make the tasks." },
    );
    return undefined;
  }
  const text = decodeUtf8(bytes);
  if (text === undefined || text.includes("\0")) {
    report.error("not-text", undefined, `\`${path}\` is not UTF-8 text`, {
      fix: text === undefined ? "Save it in UTF-8." : "It holds NUL characters.",
    });
    return undefined;
  }
  return text;
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The document in `text`; undefined when it is empty or after errors. */
export function readDocument(text: string, file: number, report: Report): Node | undefined {
  if (/^\s*[{[]/.test(text)) {
    const node = readJson(text, file, MAX_DEPTH);
    if (node !== undefined) return node;
  }
  if (text.length > MAX_YAML) {
    report.error(
      "file-too-large",
      { file, start: 0, end: 0 },
      `this YAML has ${text.length} characters; the limit is ${MAX_YAML}`,
      { fix: "Split it with `include:`, let a matrix make the tasks, or write it as plain JSON." },
    );
    return undefined;
  }
  return readYaml(text, file, MAX_DEPTH, report);
}
