// Names of runs: sortable by time, short enough to type.

import { randomInt } from "node:crypto";
import { type RunId, runId } from "../model/ids.ts";

const ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz";

/**
 * `20261121-101530-k3f9x`: this second (UTC), two characters that grow with the millisecond, so that
 * runs that follow each other closely sort in their order, and three at random.
 */
export function newRunId(wall: number): RunId {
  const [date = "", time = ""] = new Date(wall).toISOString().split(/[T.]/);
  const size = ALPHABET.length;
  const slot = Math.floor(((wall % 1000) * size * size) / 1000);
  const within = `${ALPHABET[Math.floor(slot / size)]}${ALPHABET[slot % size]}`;
  const random = Array.from({ length: 3 }, () => ALPHABET[randomInt(size)]).join("");
  const suffix = within + random;
  return runId(`${date.replaceAll("-", "")}-${time.replaceAll(":", "")}-${suffix}`);
}
