// The backend `gpu`: processes of this machine, each with a lease of the GPUs it asks for. Starting,
// stopping and finding them again is the local backend's; here only leases are added.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { Attempts, systemTable } from "@flow/backend-local/process";
import {
  type AttemptKey,
  attemptHandle,
  type Backend,
  type BackendContext,
  type BackendFailure,
  type Capabilities,
  type Exit,
  err,
  type Handle,
  type Job,
  type Observation,
  ok,
  parseAttemptHandle,
  parseAttemptKey,
  type Result,
} from "@flow/core";
import type { VerdictMessage } from "./broker/messages.ts";
import { socketPath } from "./broker/places.ts";
import { lackOf } from "./broker/request.ts";
import {
  type HeldLease,
  type JobEnd,
  jobEnvironment,
  NO_GPU_ENVIRONMENT,
  obtain,
  rebind,
  release,
} from "./client/lease.ts";
import { type GpuOptions, type GpuTaskOptions, parseTaskOptions } from "./options.ts";
import { Pending } from "./pending.ts";
import { type Card, DEFAULT_SETTINGS } from "./policy/model.ts";
import { findOutOfMemory } from "./policy/out-of-memory.ts";
import { type Gpu, cardOf } from "./reader/reader.ts";
import { demandOf, type History, requestOf, wantsGpu } from "./request.ts";

const CAPABILITIES: Omit<Capabilities, "gpus"> = {
  reattach: true,
  idempotentSubmit: true,
  requeues: false,
  sharedFilesystem: true,
  logs: "stream",
  local: true,
  maxBatch: 10_000,
  visibilityDelayMs: 0,
  pollIntervalMs: 1000,
  pushes: true,
};

/** File of an attempt's directory that names its lease. */
const LEASE_FILE = "gpu.json";
/** Descriptor on which a job inherits its lease. */
const LEASE_DESCRIPTOR = 3;
/** End of a failed job's output that is searched for signs of missing memory. */
const TAIL_BYTES = 256 * 1024;

interface LeaseRecord {
  readonly lease: string;
  readonly secret: string;
  readonly socket: string;
}

/** `gpus`: those there are to use, or why there are none. */
export function openGpu(
  context: BackendContext<GpuOptions>,
  gpus: readonly Gpu[] | string,
): Backend {
  return new GpuBackend(context, gpus);
}

class GpuBackend implements Backend {
  readonly name: Backend["name"];
  readonly capabilities: Capabilities;
  readonly #context: BackendContext<GpuOptions>;
  /** Why there is no GPU; undefined: there are some. */
  readonly #absent: string | undefined;
  readonly #cards: readonly Card[];
  readonly #attempts: Attempts;
  readonly #pending: Pending;
  readonly #leases = new Map<AttemptKey, HeldLease>();
  readonly #histories = new Map<string, History>();
  /** Ends with what the broker knew added. */
  readonly #settled = new Map<AttemptKey, Promise<Observation>>();

  constructor(context: BackendContext<GpuOptions>, gpus: readonly Gpu[] | string) {
    const { clock, log, env } = context.ports;
    this.name = context.name;
    this.#absent = typeof gpus === "string" ? gpus : undefined;
    this.#cards = typeof gpus === "string" ? [] : gpus.map(cardOf);
    this.capabilities = { ...CAPABILITIES, gpus: this.#absent === undefined };
    this.#context = context;
    this.#attempts = new Attempts({ clock, log, env, table: systemTable(), sharesShells: true });
    this.#pending = new Pending();
  }

  limits(): ReturnType<Backend["limits"]> {
    const cpusMilli = availableParallelism() * 1000;
    return { slots: undefined, cpusMilli, memoryBytes: totalmem(), pools: {} };
  }

  refuse({ resources }: Pick<Job, "resources">): string | undefined {
    if (!wantsGpu(resources)) return undefined;
    if (this.#absent !== undefined)
      return resources.elseCpusMilli === undefined
        ? `asks for a GPU, and the backend \`${this.name}\` has none: ${this.#absent} Give it \`resources.else_cpus\` to let it run without one, or run it elsewhere with \`--backend\`.`
        : undefined;
    const lack = lackOf(demandOf(resources), this.#cards, DEFAULT_SETTINGS);
    return lack && `${lack.why}. Let it ask for less, or run it elsewhere with \`--backend\`.`;
  }

  async submit(
    jobs: readonly Job[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<AttemptKey, Result<Handle, BackendFailure>>> {
    const answers = new Map<AttemptKey, Result<Handle, BackendFailure>>();
    for (const job of jobs) {
      if (signal.aborted) break;
      answers.set(job.key, await this.#start(job));
    }
    return answers;
  }

  async observe(
    handles: ReadonlyMap<AttemptKey, Handle>,
  ): Promise<Result<ReadonlyMap<AttemptKey, Observation>, BackendFailure>> {
    const found = new Map<AttemptKey, Observation>();
    const started = new Map<AttemptKey, Handle>();
    for (const [key, handle] of handles) {
      const waiting = this.#pending.observe(key);
      if (waiting === undefined) started.set(key, handle);
      else found.set(key, waiting);
    }
    for (const [key, observation] of await this.#attempts.observe(started))
      found.set(key, await this.#withUsage(key, started.get(key), observation));
    return ok(found);
  }

  async cancel(
    handle: Handle,
    how: "graceful" | "forced",
    reason: Exclude<Exit["stopped"], undefined>,
  ): Promise<Result<void, BackendFailure>> {
    const key = parseAttemptHandle(handle)?.key;
    if (key === undefined || !this.#pending.cancel(key, reason))
      this.#attempts.cancel(handle, how, reason);
    return ok(undefined);
  }

  async reattach(
    requests: Parameters<Backend["reattach"]>[0],
  ): Promise<Result<ReadonlyMap<AttemptKey, Handle>, BackendFailure>> {
    const waiting = requests.filter(({ key }) => this.#pending.observe(key) !== undefined);
    const others = requests.filter((request) => !waiting.includes(request));
    return ok(
      new Map([
        ...waiting.map(({ key, attempt }) => [key, attemptHandle(key, attempt)] as const),
        ...this.#attempts.reattach(others),
      ]),
    );
  }

  async *logs(
    handle: Handle,
    stream: "stdout" | "stderr",
    fromByte: number,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    const key = parseAttemptHandle(handle)?.key;
    if (key !== undefined) await this.#pending.over(key, signal);
    if (!signal.aborted) yield* this.#attempts.logs(handle, stream, fromByte, signal);
  }

  async collect(): ReturnType<Backend["collect"]> {
    return ok([]);
  }

  onChange(listener: (keys: readonly AttemptKey[]) => void): () => void {
    const leave = [this.#attempts.onChange(listener), this.#pending.onChange(listener)];
    return () => {
      for (const each of leave) each();
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pending.close();
    await this.#attempts[Symbol.asyncDispose]();
    // What runs keeps its lease by the descriptor it has inherited.
    for (const lease of this.#leases.values()) lease.close();
    this.#leases.clear();
  }

  async #start(job: Job): Promise<Result<Handle, BackendFailure>> {
    if (this.#absent !== undefined || !wantsGpu(job.resources)) {
      const refusal = this.refuse(job);
      if (refusal !== undefined)
        return err({ type: "misconfigured", message: `The task ${refusal}` });
      return this.#attempts.start(job, { env: NO_GPU_ENVIRONMENT });
    }
    if (this.#pending.observe(job.key) === undefined) {
      if (this.#leases.has(job.key) || existsSync(job.paths.started))
        return this.#attempts.start(job);
      const options = parseTaskOptions(job.options);
      if (!options.ok) {
        const message = options.error.map((issue) => issue.message).join(" ");
        return err({ type: "misconfigured", message });
      }
      this.#pending.add(job.key, (signal) => this.#lease(job, options.value, signal));
    }
    return ok(attemptHandle(job.key, job.paths.attempt));
  }

  /** Waits for cards, then starts the job on them. Answers why it could not. */
  async #lease(
    job: Job,
    options: GpuTaskOptions,
    signal: AbortSignal,
  ): Promise<BackendFailure | undefined> {
    const { clock, env } = this.#context.ports;
    const among = this.#context.options.gpus === "none" ? [] : this.#context.options.gpus;
    const now = clock.now();
    const task = taskOf(job.key);
    const history = this.#histories.get(task) ?? { floorBytes: 0, failures: 0, askedAt: now };
    this.#histories.set(task, history);
    const request = requestOf(job, options, among, history, now);
    const onQueued = (why: string): void => this.#pending.explain(job.key, why);
    const granted = await obtain(request, { env, signal, onQueued });
    if (!granted.ok) {
      const { isRefused, message } = granted.error;
      return isRefused
        ? { type: "rejected", message }
        : { type: "unavailable", message, retryAfterMs: undefined };
    }
    const lease = granted.value;
    if (signal.aborted) {
      lease.close();
      return undefined;
    }
    const socket = socketPath(env);
    const record: LeaseRecord = { lease: lease.id, secret: lease.secret, socket };
    writeFileSync(join(job.paths.attempt, LEASE_FILE), JSON.stringify(record), { mode: 0o600 });
    const { ids } = this.#context.options;
    const { descriptor } = lease;
    this.#leases.set(job.key, lease);
    const started = await this.#attempts.start(job, {
      env: jobEnvironment(lease, { ...env, ...job.env }, { ids, socket }),
      ...(descriptor === undefined ? {} : { descriptors: { [LEASE_DESCRIPTOR]: descriptor } }),
    });
    if (started.ok) return undefined;
    this.#leases.delete(job.key);
    lease.close();
    return started.error;
  }

  /** An end with what the broker saw; it is asked once. */
  #withUsage(
    key: AttemptKey,
    handle: Handle | undefined,
    observation: Observation,
  ): Promise<Observation> | Observation {
    if (observation.type !== "ended") return observation;
    let settled = this.#settled.get(key);
    if (settled === undefined) {
      settled = this.#settle(key, parseAttemptHandle(handle)?.attempt, observation.exit).then(
        (exit) => ({
          type: "ended",
          exit,
        }),
      );
      this.#settled.set(key, settled);
    }
    return settled;
  }

  async #settle(key: AttemptKey, directory: string | undefined, exit: Exit): Promise<Exit> {
    if (directory === undefined) return exit;
    const succeeded = exit.code === 0 && exit.signal === undefined;
    const text = succeeded || exit.stopped !== undefined ? "" : tailOf(directory);
    const end: JobEnd = { succeeded, outOfMemory: findOutOfMemory(text) };
    const verdict = await this.#release(key, directory, end);
    if (verdict === undefined) return exit;
    this.#remember(key, verdict);
    const peak = verdict.peakBytes;
    if (peak === undefined) return exit;
    const { cpuSeconds, peakMemoryBytes } = exit.usage ?? {};
    return { ...exit, usage: { cpuSeconds, peakMemoryBytes, gpuPeakMemoryBytes: peak } };
  }

  async #release(
    key: AttemptKey,
    directory: string,
    end: JobEnd,
  ): Promise<VerdictMessage | undefined> {
    const lease = this.#leases.get(key);
    this.#leases.delete(key);
    if (lease !== undefined) return lease.release(end);
    const record = readRecord(directory);
    if (record === undefined) return undefined;
    const connection = await rebind(record.socket, record.lease, record.secret);
    return connection === undefined ? undefined : release(connection, record.lease, end);
  }

  #remember(key: AttemptKey, { type, bytes = 0 }: VerdictMessage): void {
    const task = taskOf(key);
    const before = this.#histories.get(task);
    this.#histories.delete(task);
    // Only who lost its cards for want of memory has not had its turn.
    if (type !== "oom-self" && type !== "crowded-out") return;
    this.#histories.set(task, {
      floorBytes: Math.max(bytes, before?.floorBytes ?? 0),
      failures: (before?.failures ?? 0) + (type === "oom-self" ? 1 : 0),
      askedAt: before?.askedAt ?? this.#context.ports.clock.now(),
    });
  }
}

const taskOf = (key: AttemptKey): string => parseAttemptKey(key)?.task ?? key;

function readRecord(directory: string): LeaseRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(join(directory, LEASE_FILE), "utf8")) as LeaseRecord;
    return typeof record.lease === "string" && typeof record.secret === "string"
      ? record
      : undefined;
  } catch {
    return undefined;
  }
}

function tailOf(directory: string): string {
  return ["stderr", "stdout"]
    .map((name) => {
      try {
        return readFileSync(join(directory, name)).subarray(-TAIL_BYTES).toString("utf8");
      } catch {
        return "";
      }
    })
    .join("\n");
}
