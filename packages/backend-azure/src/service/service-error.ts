// What a service answered when it did not do what it was asked, as one value for Batch and storage.

/** A refusal or a failure of a service, or of the way to it. */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  /** The service's own word, such as `JobNotFound`; `Unreachable` when there was no answer. */
  readonly code: string;
  /** HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** How long the service asked to wait, in milliseconds; absent when it did not say. */
  readonly retryAfterMs: number | undefined;
  /** The service's name for the request, to be quoted to its support; absent when it gave none. */
  readonly requestId: string | undefined;

  constructor(
    code: string,
    message: string,
    facts: {
      readonly status?: number;
      readonly retryAfterMs?: number | undefined;
      readonly requestId?: string | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: facts.cause });
    this.code = code;
    this.status = facts.status ?? 0;
    this.retryAfterMs = facts.retryAfterMs;
    this.requestId = facts.requestId;
  }
}

/** Compares without case: the service and its own client do not agree on it. */
export const hasCode = (error: unknown, ...codes: readonly string[]): boolean =>
  error instanceof ServiceError &&
  codes.some((code) => code.toLowerCase() === error.code.toLowerCase());

const TRANSIENT: ReadonlySet<number> = new Set([0, 408, 429, 500, 502, 503, 504]);

/** Whether the same request may succeed later. */
export const isTransient = (error: unknown): boolean =>
  error instanceof ServiceError && TRANSIENT.has(error.status);

/** `Retry-After` in either of its forms, as milliseconds from now; undefined when absent or senseless. */
export function parseRetryAfter(text: string | undefined, wall: number): number | undefined {
  if (text === undefined || text === "") return undefined;
  const milliseconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - wall;
  return Number.isFinite(milliseconds) ? Math.max(0, Math.ceil(milliseconds)) : undefined;
}
