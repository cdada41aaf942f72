// Finding an attempt again from its directory alone, after flow or the machine was restarted.

import { statSync } from "node:fs";
import type { AttemptKey } from "@flow/core";
import type { Attempt } from "./attempt.ts";
import {
  type AttemptFiles,
  attemptFiles,
  type Claim,
  DEFAULT_POLICY,
  fence,
  parseClaim,
  readText,
} from "./files.ts";
import type { ProcessTable } from "./table.ts";

/** A claim that stays empty for longer was left by a shell that died while writing it. */
const CLAIM_MS = 5000;

/**
 * The attempt in a directory; undefined when it never started, and then it never will: its claim
 * has been taken. The answer's `observation` says `running` until its end is looked for.
 */
export function adopt(
  key: AttemptKey,
  directory: string,
  table: ProcessTable,
  wall: number,
): Attempt | undefined {
  const files = attemptFiles(directory);
  let text = readText(files.started);
  if (text === undefined) {
    if (fence(files.started)) return undefined;
    text = readText(files.started) ?? "";
  }
  const claim = parseClaim(text);
  if (claim !== undefined && claim.pid === undefined) return undefined;
  const startedAt = startTime(claim, table, wall);
  return {
    key,
    files,
    policy: claim?.policy ?? DEFAULT_POLICY,
    observation: { type: "running", since: startedAt, node: claim?.host },
    leader: findLeader({ files }, table),
    ownsSession: claim?.terminal !== true,
    shell: undefined,
    startedAt,
    startedUptime: claim?.boot === table.boot ? claim.uptime : undefined,
    stop: undefined,
    peakMemoryBytes: undefined,
    arranged: new Set(),
    ending: undefined,
  };
}

/**
 * Whether an attempt whose claim is torn may still be about to start: the claim is so young that
 * its shell may be writing it.
 */
export function isClaimYoung(files: AttemptFiles, table: ProcessTable, wall: number): boolean {
  const stat = statSync(files.started, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  const age = wall - stat.mtimeMs;
  return age < CLAIM_MS && age < table.uptime() * 1000;
}

function leaderOf(claim: Claim): Attempt["leader"] {
  const { pid, start, boot } = claim;
  return pid === undefined ? undefined : { pid, start: start ?? "", boot: boot ?? "" };
}

/** The shell of an attempt whose claim was still being written when it was adopted. */
export function findLeader(
  attempt: Pick<Attempt, "files">,
  table: ProcessTable,
): Attempt["leader"] {
  const claim = parseClaim(readText(attempt.files.started) ?? "");
  return claim === undefined ? markedLeader(attempt.files.directory, table) : leaderOf(claim);
}

/** The oldest process with the attempt's mark, for a claim that does not tell. */
function markedLeader(mark: string, table: ProcessTable): Attempt["leader"] {
  const found = table.list().find((info) => !info.zombie && table.mark(info.pid) === mark);
  return found && { pid: found.pid, start: found.start, boot: table.boot };
}

function startTime(
  claim: Claim | undefined,
  table: ProcessTable,
  wall: number,
): number | undefined {
  if (claim?.uptime === undefined || claim.boot !== table.boot) return undefined;
  return Math.round(wall - (table.uptime() - claim.uptime) * 1000);
}
