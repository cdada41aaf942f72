// The line format of a journal: one JSON object a line, its sequence number first, a CRC-32 of
// everything before it last. A line that fails any of the three is damage, not data.

import { crc32 } from "node:zlib";
import type { Json } from "../backend/backend.ts";
import type { RunEvent } from "../engine/run-event.ts";
import type { AttemptKey, RunId } from "../model/ids.ts";
import type { Trace } from "../trace/trace.ts";
import type { Exit, Outcome, RestartReason } from "../model/outcome.ts";

/** Raised when a reader of the old format could misread the new one. */
export const JOURNAL_FORMAT = 1;

/** What a journal holds beside the run's own events: claims and results, to the letter. */
export type JournalFact =
  | {
      readonly type: "journal/opened";
      readonly format: number;
      readonly run: RunId;
      readonly flow: string;
      readonly host: string;
      readonly pid: number;
      readonly wall: number;
    }
  | {
      readonly type: "attempt/claimed";
      readonly task: string;
      readonly key: AttemptKey;
      readonly attempt: number;
      readonly reason: RestartReason;
      readonly wall: number;
    }
  | { readonly type: "attempt/submitted"; readonly key: AttemptKey; readonly handle: Json }
  | {
      readonly type: "attempt/ended";
      readonly task: string;
      readonly key: AttemptKey;
      readonly outcome: Outcome;
      readonly exit: Exit | undefined;
      /** Of a success. */
      readonly trace: Trace | undefined;
      readonly wall: number;
    };

export type JournalRecord = JournalFact | RunEvent;

const CRC_MARK = ',"crc":"';

const hex = (value: number): string => value.toString(16).padStart(8, "0");

/** One line, newline included. */
export function encodeLine(number: number, record: JournalRecord): string {
  const body = `{"n":${number},${JSON.stringify(record).slice(1, -1)}`;
  return `${body}${CRC_MARK}${hex(crc32(body))}"}\n`;
}

/** The record of a line (without its newline) and its number; undefined when the line is damaged. */
export function decodeLine(
  line: string,
): { readonly number: number; readonly record: JournalRecord } | undefined {
  const mark = line.lastIndexOf(CRC_MARK);
  if (mark < 0 || line.length !== mark + CRC_MARK.length + 10 || !line.endsWith('"}')) {
    return undefined;
  }
  const body = line.slice(0, mark);
  if (line.slice(mark + CRC_MARK.length, -2) !== hex(crc32(body))) return undefined;
  try {
    const { n, ...record } = JSON.parse(`${body}}`) as { n: number } & JournalRecord;
    return { number: n, record: record as JournalRecord };
  } catch {
    return undefined;
  }
}
