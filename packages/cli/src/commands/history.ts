// `flow history`: past runs. Writes nothing.

import {
  currentClaims,
  decodeJournal,
  formatDuration,
  layout,
  nodeFileSystem,
  type RunCounts,
  type RunId,
} from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import type { Command, Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { isEvent, recordedRuns } from "../record/runs.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { type Cell, heading, table } from "../report/table.ts";
import { localTime } from "../report/when.ts";
import { openSelection } from "../selection.ts";

const DEFAULT_LIMIT = 20;

/** The last events of a journal fit into this. */
const TAIL_BYTES = 1 << 16;

export const command: Command = async (invocation, io) => {
  const limit = Number(invocation.value("limit") ?? DEFAULT_LIMIT);
  if (!Number.isSafeInteger(limit) || limit < 1) {
    io.stderr.write(
      `flow: --limit takes a whole number above 0, not \`${invocation.value("limit")}\`\n`,
    );
    return EXIT.usage;
  }
  const opened = await openSelection(invocation, io, []);
  if (!opened.ok) return opened.error;
  const { root } = opened.value.plan.project;
  const claims = currentClaims(root);
  const runs = recordedRuns(root)
    .slice(0, limit)
    .map((run) => pastRun(root, run, claims.isLive(run)));
  showRuns(runs, invocation, io);
  return EXIT.ok;
};

interface PastRun {
  readonly run: RunId;
  readonly file: string | undefined;
  /** Unix milliseconds. */
  readonly began: number | undefined;
  readonly elapsedMs: number | undefined;
  readonly state: "running" | "ended" | "died";
  readonly exitCode: number | undefined;
  readonly counts: RunCounts | undefined;
}

function pastRun(root: string, run: RunId, isLive: boolean): PastRun {
  const places = layout(root);
  const bytes = nodeFileSystem.read(`${places.run(run)}/run.json`);
  const { file, wall } = parse(bytes);
  const end = lastEvents(places.journal(run)).findLast((event) => event.type === "run/ended");
  return {
    run,
    file,
    began: wall,
    elapsedMs: end?.elapsedMs,
    state: end !== undefined ? "ended" : isLive ? "running" : "died",
    exitCode: end?.exitCode,
    counts: end?.counts,
  };
}

function parse(bytes: Uint8Array | undefined): { readonly file?: string; readonly wall?: number } {
  try {
    return JSON.parse(Buffer.from(bytes ?? []).toString("utf8")) as object;
  } catch {
    return {};
  }
}

function lastEvents(path: string) {
  const size = nodeFileSystem.stat(path)?.size ?? 0;
  const bytes = nodeFileSystem.readPart(path, Math.max(0, size - TAIL_BYTES), TAIL_BYTES);
  return decodeJournal(bytes ?? new Uint8Array()).records.filter(isEvent);
}

function showRuns(runs: readonly PastRun[], invocation: Invocation, io: Io): void {
  if (invocation.has("json")) {
    io.stdout.write(`${JSON.stringify(runs, null, 2)}\n`);
    return;
  }
  if (runs.length === 0) {
    io.stderr.write("no run is on record\n");
    return;
  }
  const rows = runs.map(({ run, file, began, elapsedMs, state, counts }): readonly Cell[] => [
    { text: run },
    { text: began === undefined ? "" : localTime(began) },
    { text: elapsedMs === undefined ? "" : formatDuration(elapsedMs), right: true },
    { text: sanitizeLine(file ?? "") },
    { text: counts === undefined ? state : countsText(counts) },
  ]);
  const names = heading("RUN", "BEGAN", "TOOK", "FILE", "RESULT");
  io.stdout.write(table([names, ...rows], io.stdout.columns));
}

function countsText(counts: RunCounts): string {
  const { total, ...others } = counts;
  const parts = Object.entries(others).flatMap(([name, count]) =>
    count > 0 ? `${count} ${name === "allowedFailures" ? "failed (allowed)" : name}` : [],
  );
  return parts.length === 0 ? `none of ${total}` : parts.join(", ");
}
