// The end of a log file that may be huge, binary, or being written right now.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { decode, sanitize } from "./sanitize.ts";

export interface LogTail {
  /** Readable lines, oldest first; empty ones at the end are left out. */
  readonly lines: readonly string[];
  /** More than these lines is in the file. */
  readonly isCut: boolean;
  /** Size of the file in bytes. */
  readonly bytes: number;
  /** Unix milliseconds of the last write. */
  readonly modifiedMs: number;
}

/** The end of the log that says most, with its path. */
export type LastWords = LogTail & { readonly path: string };

const WINDOW = 16 * 1024;

/** The last lines of a file, sanitised; undefined when it cannot be read or is empty. */
export type ReadTail = (path: string, lines: number) => LogTail | undefined;

/** Reads at most 16 KiB from the end of the file. */
export const readTail: ReadTail = (path, lines) => {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    const { size: bytes, mtimeMs } = fstatSync(descriptor);
    const window = Buffer.alloc(Math.min(bytes, WINDOW));
    const read = readSync(descriptor, window, 0, window.length, bytes - window.length);
    return tail(window.subarray(0, read), bytes, mtimeMs, lines);
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
};

/** The end of stderr, or of stdout when nothing was said there; undefined when nothing was said. */
export function lastWords(
  { stdout, stderr }: { readonly stdout: string | undefined; readonly stderr: string | undefined },
  read: ReadTail,
  lines: number,
): LastWords | undefined {
  for (const path of [stderr, stdout]) {
    const found = path === undefined ? undefined : read(path, lines);
    if (found !== undefined && path !== undefined) return { ...found, path };
  }
  return undefined;
}

/** {@link readTail} on bytes that are the end of a file of `size` bytes. */
export function tail(
  end: Uint8Array,
  size: number,
  modifiedMs: number,
  lines: number,
): LogTail | undefined {
  const isWhole = end.length === size;
  const text = sanitize(decode(isWhole ? end : withoutTornLine(end)));
  const all = text.replace(/\s+$/, "").split("\n");
  if (all.length === 1 && all[0] === "") return undefined;
  return {
    lines: all.slice(-lines),
    isCut: !isWhole || all.length > lines,
    bytes: size,
    modifiedMs,
  };
}

/** Begins behind the first newline, or at a whole character when there is none. */
function withoutTornLine(bytes: Uint8Array): Uint8Array {
  const newline = bytes.indexOf(10);
  if (newline >= 0 && newline < bytes.length - 1) return bytes.subarray(newline + 1);
  let start = 0;
  while (start < 4 && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.subarray(start);
}
