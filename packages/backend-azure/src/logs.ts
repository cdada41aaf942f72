// Output files as byte streams that follow what is still being copied from the node.

import { open } from "node:fs/promises";
import type { Clock } from "@flow/core";

const CHUNK_BYTES = 64 * 1024;

/**
 * The bytes of a file from an offset on. `refresh` brings the file up to date and says whether nothing
 * more can come; between two of them it pauses, unless the signal ends it.
 */
export async function* followCopy(
  path: string,
  fromByte: number,
  refresh: () => Promise<boolean>,
  pauseMs: number,
  clock: Clock,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  let offset = fromByte;
  for (;;) {
    const over = await refresh();
    for await (const chunk of rest(path, offset, signal)) {
      offset += chunk.byteLength;
      yield chunk;
    }
    if (over || signal.aborted) return;
    await clock.sleep(pauseMs, signal).catch(() => undefined);
  }
}

/** What a file holds from an offset to its present end; nothing when there is no file. */
async function* rest(path: string, offset: number, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return;
  try {
    let position = offset;
    while (!signal.aborted || position === offset) {
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
