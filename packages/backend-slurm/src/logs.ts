// Output files as byte streams that follow what is still being written.

import { open } from "node:fs/promises";
import type { Clock } from "@flow/core";

const CHUNK_BYTES = 64 * 1024;
const STEP_MIN_MS = 20;
const STEP_MAX_MS = 1000;

/**
 * The bytes of a file from an offset on. Follows the file until `isOver` was true before a read that
 * found nothing more, or until the signal; a file that is not there yet is waited for.
 */
export async function* followFile(
  path: string,
  fromByte: number,
  isOver: () => Promise<boolean>,
  clock: Clock,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  let offset = fromByte;
  let step = STEP_MIN_MS;
  while (!signal.aborted) {
    const over = step >= STEP_MAX_MS / 4 || offset === fromByte ? await isOver() : false;
    let found = false;
    for await (const chunk of rest(path, offset, signal)) {
      offset += chunk.byteLength;
      found = true;
      yield chunk;
    }
    if (over) return;
    step = found ? STEP_MIN_MS : Math.min(step * 2, STEP_MAX_MS);
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
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position);
      if (bytesRead === 0) return;
      position += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
