// The handle of a backend that keeps all it knows of an attempt in the attempt's own directory: it
// names the attempt, and a later flow reads the rest from disk.

import { type AttemptKey, parseAttemptKey } from "../model/ids.ts";
import type { Handle } from "./backend.ts";

const VERSION = 1;

/** An attempt and where it lies. */
export interface AttemptPlace {
  readonly key: AttemptKey;
  /** The attempt's directory, absolute. */
  readonly attempt: string;
}

export const attemptHandle = (key: AttemptKey, attempt: string): Handle => ({
  version: VERSION,
  key,
  attempt,
});

/** Undefined for what is no such handle, or one of a version this flow does not know. */
export function parseAttemptHandle(handle: Handle | undefined): AttemptPlace | undefined {
  if (typeof handle !== "object" || handle === null || Array.isArray(handle)) return undefined;
  const { version, key, attempt } = handle as Record<string, unknown>;
  if (version !== VERSION || typeof attempt !== "string" || !attempt.startsWith("/"))
    return undefined;
  return typeof key === "string" && parseAttemptKey(key) !== undefined
    ? { key: key as AttemptKey, attempt }
    : undefined;
}
