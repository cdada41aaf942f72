// Names of runs: sortable by time, short enough to type.

import { randomInt } from "node:crypto";
import { type RunId, runId } from "../model/ids.ts";

const ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz";

/** `20261121-101530-k3f9` for this moment (UTC) and four random characters. */
export function newRunId(wall: number): RunId {
  const [date = "", time = ""] = new Date(wall).toISOString().split(/[T.]/);
  const suffix = Array.from({ length: 4 }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
  return runId(`${date.replaceAll("-", "")}-${time.replaceAll(":", "")}-${suffix}`);
}
