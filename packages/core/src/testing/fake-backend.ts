// A backend over a fake world, with faults on demand. It shares nothing with the backends it stands
// in for but the interface.

import type {
  Backend,
  BackendFailure,
  CollectedFile,
  Handle,
  Job,
  Observation,
  ReattachRequest,
} from "../backend/backend.ts";
import type { Capabilities } from "../backend/capabilities.ts";
import { type AttemptKey, type BackendName, backendName } from "../model/ids.ts";
import type { StopReason } from "../model/outcome.ts";
import type { Limits } from "../model/resources.ts";
import { err, ok, type Result } from "../model/result.ts";
import type { FakeJob } from "./fake-job.ts";
import type { FakeWorld } from "./fake-world.ts";

/** A call that may go wrong; `submit` and `observe` are asked about once per job. */
export interface FakeCall {
  readonly method: "submit" | "observe" | "cancel" | "reattach";
  /** Absent where the call is about several. */
  readonly key: AttemptKey | undefined;
}

/**
 * `unavailable`: refused without effect. `ambiguous`: done, but answered with `unavailable`.
 * `rejected`, `misconfigured`: of a submit. `unknown`, `missing`: of an observation, as the answer,
 * or left out of it. `stale`: the last answer once more.
 */
export type Fault =
  | "unavailable"
  | "ambiguous"
  | "rejected"
  | "misconfigured"
  | "unknown"
  | "missing"
  | "stale";

export interface FakeBackendOptions {
  readonly world: FakeWorld;
  /** @default "fake" */
  readonly name?: string;
  readonly capabilities?: Partial<Capabilities>;
  readonly limits?: Partial<Limits>;
  /** Asked before each call; undefined: it goes well. */
  readonly fault?: (call: FakeCall) => Fault | undefined;
  /** How long a call takes, in milliseconds; answers overtake each other. @default 0 */
  readonly latencyMs?: () => number;
}

/** Of a fake backend that is told nothing else. */
export const FAKE_CAPABILITIES: Capabilities = {
  reattach: true,
  idempotentSubmit: true,
  requeues: false,
  sharedFilesystem: true,
  logs: "stream",
  gpus: false,
  local: true,
  maxBatch: 100,
  visibilityDelayMs: 0,
  pollIntervalMs: 1_000,
  pushes: true,
};

const unavailable = (retryAfterMs?: number): BackendFailure => ({
  type: "unavailable",
  message: "the fake system does not answer",
  retryAfterMs,
});

export class FakeBackend implements Backend {
  readonly name: BackendName;
  readonly capabilities: Capabilities;
  /** Absent without `pushes`. */
  readonly onChange?: (listener: (keys: readonly AttemptKey[]) => void) => () => void;
  readonly #world: FakeWorld;
  readonly #limits: Limits;
  readonly #fault: (call: FakeCall) => Fault | undefined;
  readonly #latencyMs: () => number;
  readonly #subscriptions = new Set<() => void>();
  readonly #last = new Map<AttemptKey, Observation>();

  constructor(options: FakeBackendOptions) {
    this.name = backendName(options.name ?? "fake");
    this.capabilities = { ...FAKE_CAPABILITIES, ...options.capabilities };
    this.#world = options.world;
    this.#limits = {
      slots: undefined,
      cpusMilli: undefined,
      memoryBytes: undefined,
      pools: {},
      ...options.limits,
    };
    this.#fault = options.fault ?? (() => undefined);
    this.#latencyMs = options.latencyMs ?? (() => 0);
    if (this.capabilities.pushes) this.onChange = (listener) => this.#subscribe(listener);
  }

  limits(): Limits {
    return this.#limits;
  }

  async submit(
    jobs: readonly Job[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<AttemptKey, Result<Handle, BackendFailure>>> {
    await this.#delay();
    const answers = new Map<AttemptKey, Result<Handle, BackendFailure>>();
    for (const job of jobs) {
      answers.set(job.key, signal.aborted ? err(unavailable()) : this.#submitOne(job));
    }
    return answers;
  }

  async observe(
    handles: ReadonlyMap<AttemptKey, Handle>,
    _signal: AbortSignal,
  ): Promise<Result<ReadonlyMap<AttemptKey, Observation>, BackendFailure>> {
    await this.#delay();
    if (this.#fault({ method: "observe", key: undefined }) !== undefined) return err(unavailable());
    const answer = new Map<AttemptKey, Observation>();
    for (const [key, handle] of handles) {
      const observation = this.#observeOne(key, handle);
      if (observation !== undefined) answer.set(key, observation);
    }
    return ok(answer);
  }

  async cancel(
    handle: Handle,
    how: "graceful" | "forced",
    reason: StopReason,
    _signal: AbortSignal,
  ): Promise<Result<void, BackendFailure>> {
    await this.#delay();
    const job = this.#find(handle);
    const fault = this.#fault({ method: "cancel", key: job?.job.key });
    if (fault === undefined || fault === "ambiguous") job?.stop(how, reason);
    return fault === undefined ? ok(undefined) : err(unavailable());
  }

  async reattach(
    attempts: readonly ReattachRequest[],
    _signal: AbortSignal,
  ): Promise<Result<ReadonlyMap<AttemptKey, Handle>, BackendFailure>> {
    await this.#delay();
    const fault = this.#fault({ method: "reattach", key: undefined });
    if (fault !== undefined) return err(unavailable());
    const found = new Map<AttemptKey, Handle>();
    for (const { key } of attempts) {
      const number = this.#world.numbersOf(key)[0];
      const visible = number !== undefined && this.#isVisible(this.#world.jobs.get(number));
      if (number !== undefined && (visible || !this.#world.fence(key))) {
        found.set(key, handleOf(number));
      } else this.#world.fence(key);
    }
    return ok(found);
  }

  async *logs(
    handle: Handle,
    stream: "stdout" | "stderr",
    fromByte: number,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    const job = this.#find(handle);
    let offset = fromByte;
    while (job !== undefined) {
      const ended = job.isEnded;
      const bytes = Buffer.from(job.output[stream]).subarray(offset);
      if (bytes.length > 0) yield bytes;
      offset += bytes.length;
      if (ended || signal.aborted) return;
      await this.#changeOf(job, signal);
    }
  }

  collect(): Promise<Result<readonly CollectedFile[], BackendFailure>> {
    return Promise.resolve(ok([]));
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#subscriptions) end();
    this.#subscriptions.clear();
    return Promise.resolve();
  }

  #submitOne(job: Job): Result<Handle, BackendFailure> {
    const fault = this.#fault({ method: "submit", key: job.key });
    if (fault === "rejected" || fault === "misconfigured") {
      return err({ type: fault, message: `the fake system says ${fault}` });
    }
    if (fault === "unavailable") return err(unavailable());
    const known = this.capabilities.idempotentSubmit
      ? this.#world.numbersOf(job.key)[0]
      : undefined;
    const number = known ?? this.#world.accept(job);
    if (number === undefined) {
      return err({ type: "rejected", message: `${job.key} was given up and may not start` });
    }
    return fault === undefined ? ok(handleOf(number)) : err(unavailable());
  }

  #observeOne(key: AttemptKey, handle: Handle): Observation | undefined {
    const fault = this.#fault({ method: "observe", key });
    if (fault === "missing") return undefined;
    const last = this.#last.get(key);
    if (fault === "stale" && last !== undefined) return last;
    const observation = fault === undefined ? this.#find(handle)?.observation() : undefined;
    if (observation === undefined) return { type: "unknown", why: "the fake system cannot tell" };
    this.#last.set(key, observation);
    return observation;
  }

  #find(handle: Handle): FakeJob | undefined {
    const number = numberOf(handle);
    return number === undefined ? undefined : this.#world.jobs.get(number);
  }

  /** A job that was just accepted is not in the system's lists yet. */
  #isVisible(job: FakeJob | undefined): boolean {
    if (job === undefined) return false;
    return this.#world.clock.now() - job.submittedAt >= this.capabilities.visibilityDelayMs;
  }

  #subscribe(listener: (keys: readonly AttemptKey[]) => void): () => void {
    const end = this.#world.subscribe((key) => listener([key]));
    this.#subscriptions.add(end);
    return end;
  }

  #changeOf(job: FakeJob, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        end();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const end = this.#world.subscribe((key) => {
        if (key === job.job.key) done();
      });
      signal.addEventListener("abort", done, { once: true });
    });
  }

  async #delay(): Promise<void> {
    const ms = this.#latencyMs();
    if (ms > 0) await this.#world.clock.sleep(ms);
  }
}

const handleOf = (number: string): Handle => ({ version: 1, number });

function numberOf(handle: Handle): string | undefined {
  if (typeof handle !== "object" || handle === null || !("number" in handle)) return undefined;
  const { version, number } = handle;
  return version === 1 && typeof number === "string" ? number : undefined;
}
