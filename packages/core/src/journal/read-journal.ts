// Reading a journal that may be torn at its end or damaged inside. Readers never repair: the only
// writer a journal ever has is the run that made it, and that run is over or still at it.

import type { FileSystem } from "../ports/file-system.ts";
import { decodeLine, type JournalRecord } from "./record.ts";

interface JournalDamage {
  /** Byte offset of the first bad byte of the stretch. */
  readonly offset: number;
  readonly bytes: number;
}

export interface JournalContent {
  readonly records: readonly JournalRecord[];
  /** Stretches inside the file that are not records. A torn last line is not damage. */
  readonly damage: readonly JournalDamage[];
  /** Offset behind the last whole line; where a follower goes on reading. */
  readonly end: number;
}

const NEWLINE = 10;

/**
 * Decodes the whole lines of `bytes`, which begin at `offset` of the file. Lines that are not
 * records are reported and skipped; what follows them is kept. A record whose number does not grow
 * is a duplicate and counts as damage.
 */
export function decodeJournal(
  bytes: Uint8Array,
  offset = 0,
  lastNumber = 0,
): JournalContent & {
  readonly lastNumber: number;
} {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const records: JournalRecord[] = [];
  const damage: JournalDamage[] = [];
  let position = 0;
  let number = lastNumber;
  while (position < buffer.length) {
    const newline = buffer.indexOf(NEWLINE, position);
    if (newline < 0) break;
    const decoded = decodeLine(buffer.toString("utf8", position, newline));
    if (decoded !== undefined && decoded.number > number) {
      records.push(decoded.record);
      number = decoded.number;
    } else {
      damage.push({ offset: offset + position, bytes: newline + 1 - position });
    }
    position = newline + 1;
  }
  return { records, damage, end: offset + position, lastNumber: number };
}

/** The journal at `path`; empty when there is none. */
export function readJournal(path: string, fileSystem: FileSystem): JournalContent {
  const bytes = fileSystem.read(path);
  return bytes === undefined ? { records: [], damage: [], end: 0 } : decodeJournal(bytes);
}
