// Output files as byte streams that follow what is still being written.

import { open } from "node:fs/promises";
import type { Clock } from "../clock.ts";

const CHUNK_BYTES = 64 * 1024;
const STEP_MIN_MS = 20;
const STEP_MAX_MS = 500;

/**
 * The bytes of a file from an offset on. Follows the file until `isOver` was true before a read that
 * found nothing more, or until the signal; a file that is not there yet is waited for. `isOver` is asked
 * at the beginning and when nothing more was found, but not more often than every `askMs`.
 */
export async function* followFile(
  path: string,
  fromByte: number,
  isOver: () => boolean | Promise<boolean>,
  clock: Clock,
  signal: AbortSignal,
  askMs = 0,
): AsyncIterable<Uint8Array> {
  let askedAt = Number.NEGATIVE_INFINITY;
  let offset = fromByte;
  let step = STEP_MIN_MS;
  let isFound = false;
  while (!signal.aborted) {
    const isDue = !isFound && clock.now() - askedAt >= askMs;
    if (isDue) askedAt = clock.now();
    const over = isDue && (await isOver());
    isFound = false;
    for await (const chunk of rest(path, offset, signal)) {
      offset += chunk.byteLength;
      isFound = true;
      yield chunk;
    }
    if (over) return;
    step = isFound ? STEP_MIN_MS : Math.min(step * 2, STEP_MAX_MS);
    await clock.sleep(step, signal).catch(() => undefined);
  }
}

/** What a file holds from an offset to its present end; nothing when there is no file. */
async function* rest(path: string, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return;
  try {
    let position = offset;
    while (!signal.aborted) {
      const { bytesRead, buffer } = await file.read(
        Buffer.allocUnsafe(CHUNK_BYTES),
        0,
        CHUNK_BYTES,
        position,
      );
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
