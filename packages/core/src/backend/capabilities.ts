// What a backend can do. The engine asks here, never by the backend's name.

export interface Capabilities {
  /** Attempts outlive this process and can be found again by key. Without: they end with flow. */
  readonly reattach: boolean;
  /** A key seen before returns the first handle. Without: the engine reattaches before it submits again. */
  readonly idempotentSubmit: boolean;
  /** The system may restart an attempt by itself under the same handle. */
  readonly requeues: boolean;
  /** The project's files are the same for the attempt and for flow. Without: inputs are staged and outputs collected. */
  readonly sharedFilesystem: boolean;
  /** Whether output can be read while the attempt runs. */
  readonly logs: "stream" | "after" | "none";
  /** Understands `gpus`. */
  readonly gpus: boolean;
  /** Runs where `-n` and this machine's cpus and memory bind. Without: the system's own queue decides. */
  readonly local: boolean;
  /** Most jobs in one submit; 1: no arrays. */
  readonly maxBatch: number;
  /** A submitted attempt may be invisible to `reattach` this long, in milliseconds. */
  readonly visibilityDelayMs: number;
  /** Shortest sensible time between two `observe` calls, in milliseconds. */
  readonly pollIntervalMs: number;
  /** `observe` hints arrive by `onChange`, so polling is only a safety net. */
  readonly pushes: boolean;
}
