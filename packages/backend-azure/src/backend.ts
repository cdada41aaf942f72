// Azure Batch as a backend: attempts are tasks of a job, their files travel through blob storage, and
// what flow knows of them lies on this machine, so that a later flow can go on.

import {
  type AttemptKey,
  attemptHandle,
  type Backend,
  type BackendContext,
  type Capabilities,
  currentClaims,
  err,
  exitWith,
  type Handle,
  ok,
  parseAttemptHandle,
  type ReattachRequest,
  type StopReason,
  type TreeId,
} from "@flow/core";
import { Collector, callOff } from "./attempt/collector.ts";
import { close, firstLife, keepExit, keepStop, readExit, readMembership } from "./attempt/files.ts";
import { Mirror } from "./attempt/mirror.ts";
import { Turns } from "./attempt/turns.ts";
import type { CleanUp } from "./clean-up.ts";
import type { Jobs } from "./jobs.ts";
import { followCopy } from "./logs.ts";
import { attemptBlobs, taskId } from "./naming.ts";
import { Observer } from "./observer.ts";
import type { AzureOptions } from "./options.ts";
import type { BatchPort } from "./service/batch-port.ts";
import { failureOf } from "./service/explain.ts";
import type { Retry } from "./service/retry.ts";
import { hasCode } from "./service/service-error.ts";
import { Archives } from "./storage/archives.ts";
import type { BlobStore } from "./storage/blob-store.ts";
import { Submitter } from "./submitter.ts";
import { Waiting } from "./waiting.ts";

const NO_LIMITS = { slots: undefined, cpusMilli: undefined, memoryBytes: undefined, pools: {} };

const capabilitiesOf = (pollIntervalMs: number): Capabilities => ({
  reattach: true,
  idempotentSubmit: true,
  requeues: false,
  sharedFilesystem: false,
  logs: "stream",
  gpus: true,
  local: false,
  maxBatch: 10_000,
  visibilityDelayMs: 0,
  pollIntervalMs,
  pushes: false,
});

/** What a backend stands on, made from its options. */
export interface Foundation {
  readonly batch: BatchPort;
  readonly store: BlobStore;
  readonly retry: Retry;
  readonly jobs: Jobs;
  readonly cleanUp: CleanUp;
  /** flow's own folder for this backend. */
  readonly folder: string;
  readonly captureCode: () => Promise<TreeId>;
  /** Another container of the same account. */
  openContainer(name: string): BlobStore;
  mountedCheckpoint: ConstructorParameters<typeof Collector>[0]["mountedCheckpoint"];
}

export function openAzure(context: BackendContext<AzureOptions>, foundation: Foundation): Backend {
  return new AzureBackend(context, foundation);
}

class AzureBackend implements Backend {
  readonly name: Backend["name"];
  readonly capabilities: Capabilities;
  readonly #context: BackendContext<AzureOptions>;
  readonly #foundation: Foundation;
  readonly #mirror: Mirror;
  readonly #archives: Archives;
  readonly #submitter: Submitter;
  readonly #observer: Observer;
  /** Attempts this process has to do with, by job. */
  readonly #attempts = new Map<string, Map<AttemptKey, string>>();

  constructor(context: BackendContext<AzureOptions>, foundation: Foundation) {
    this.name = context.name;
    this.capabilities = capabilitiesOf(context.options.poll);
    this.#context = context;
    this.#foundation = foundation;
    const { options, root, ports } = context;
    const { batch, retry, store, folder, captureCode } = foundation;
    const { clock, env } = ports;
    const scratch = `${folder}/tmp`;
    const turns = new Turns();
    const archives = new Archives({ store, retry, root, scratch, captureCode });
    this.#archives = archives;
    this.#mirror = new Mirror(batch, retry, turns);
    this.#submitter = new Submitter({ ...foundation, archives, clock, options, env });
    const collector = new Collector({ ...foundation, turns, scratch });
    const waiting = new Waiting(batch, retry, clock);
    this.#observer = new Observer({
      batch,
      retry,
      clock,
      collector,
      mirror: this.#mirror,
      waiting,
    });
  }

  limits: Backend["limits"] = () => NO_LIMITS;

  refuse: NonNullable<Backend["refuse"]> = ({ mounts }) => {
    const known = Object.keys(this.#context.options.mounts);
    const missing = Object.keys(mounts).find((name) => !known.includes(name));
    if (missing === undefined) return undefined;
    const have = known.length === 0 ? "has none" : `has ${known.join(", ")}`;
    return `needs the mount \`${missing}\`, and the backend ${have}`;
  };

  submit: Backend["submit"] = async (jobs, signal) => {
    const answers = await this.#submitter.submit(jobs, signal);
    for (const { key, paths } of jobs)
      if (answers.get(key)?.ok === true) this.#know(key, paths.attempt);
    return answers;
  };

  observe: Backend["observe"] = async (handles, signal) => {
    for (const handle of handles.values()) {
      const place = parseAttemptHandle(handle);
      if (place !== undefined) this.#know(place.key, place.attempt);
    }
    const answer = await this.#observer.observe(handles, signal);
    const seen = answer.ok ? [...answer.value.values()] : [];
    if (seen.some((each) => each.type === "ended" && each.exit.cause === "not-begun")) {
      this.#archives.forget();
      this.#submitter.forget();
      this.#foundation.jobs.forgetContainer();
    }
    return answer;
  };

  cancel: Backend["cancel"] = async (handle, how, reason) => {
    const place = parseAttemptHandle(handle);
    const membership = place && readMembership(place.attempt);
    if (place === undefined || membership === undefined || readExit(place.attempt) !== undefined)
      return ok(undefined);
    try {
      await this.#stop(place.key, place.attempt, membership.job, how === "forced", reason);
      return ok(undefined);
    } catch (error) {
      return err(failureOf(error));
    }
  };

  reattach: Backend["reattach"] = async (requests, signal) => {
    try {
      return ok(await this.#find(requests, signal));
    } catch (error) {
      return err(failureOf(error));
    }
  };

  logs: Backend["logs"] = (handle, stream, fromByte, signal) => {
    const place = parseAttemptHandle(handle);
    if (place === undefined || readMembership(place.attempt) === undefined) return nothing();
    const { key, attempt } = place;
    const { clock } = this.#context.ports;
    const refresh = async (): Promise<boolean> => {
      const answer = await this.#observer.observe(new Map([[key, handle]]), signal);
      const over = answer.ok && answer.value.get(key)?.type === "ended";
      if (!over) await this.#mirror.pull(place, [stream]).catch(() => undefined);
      return over;
    };
    const { poll } = this.#context.options;
    return followCopy(`${attempt}/${stream}`, fromByte, refresh, poll, clock, signal);
  };

  /** What an attempt leaves is brought back before it counts as ended. */
  collect: Backend["collect"] = async () => ok([]);

  /** Removes the jobs whose tasks are all over; others end by themselves when their last task has. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { cleanUp } = this.#foundation;
    const { log } = this.#context.ports;
    const isAlone = currentClaims(this.#context.root).living().length === 0;
    for (const job of new Set([...this.#attempts.keys(), ...cleanUp.jobs()])) {
      const attempts = this.#attempts.get(job);
      const isLeftBehind = isAlone && OF_A_RUN.test(job);
      try {
        await cleanUp.leave(job, attempts !== undefined || isLeftBehind);
        const over = [...(attempts ?? [])].filter(([, attempt]) => readExit(attempt) !== undefined);
        await cleanUp.attempts(over.map(([key]) => key));
      } catch (error) {
        // Another flow may be doing the same.
        if (hasCode(error, "JobNotFound", "JobCompleted", "JobTerminating", "JobBeingDeleted"))
          continue;
        const { message } = failureOf(error);
        log.warn(
          `the job ${job} is still in Azure Batch: ${message}; \`flow azure gc\` removes it`,
        );
      }
    }
  }

  #know(key: AttemptKey, attempt: string): void {
    const job = readMembership(attempt)?.job;
    if (job !== undefined) this.#of(job).set(key, attempt);
  }

  #of(job: string): Map<AttemptKey, string> {
    const known = this.#attempts.get(job) ?? new Map<AttemptKey, string>();
    this.#attempts.set(job, known);
    return known;
  }

  /** What has not begun never will; what runs is asked through storage, where its node looks. */
  async #stop(
    key: AttemptKey,
    attempt: string,
    job: string,
    kill: boolean,
    reason: StopReason,
  ): Promise<void> {
    const { batch, store, retry } = this.#foundation;
    const at = this.#context.ports.clock.wall();
    const stop = keepStop(attempt, { reason, kill, at });
    const blobs = attemptBlobs(key);
    if (firstLife(attempt, undefined) === undefined) {
      if (await retry.call(() => callOff(store, key))) {
        await retry.call(() => batch.terminateTask(job, taskId(key))).catch(() => undefined);
        keepExit(attempt, exitWith({ stopped: stop.reason, detail: "stopped before it began" }));
        return;
      }
    }
    const text = JSON.stringify({
      reason: stop.reason,
      at: Math.round(stop.at / 1000),
      kill: stop.kill,
    });
    await retry.call(() => store.put(blobs.stop, Buffer.from(`${text}\n`)));
  }

  async #find(
    requests: readonly ReattachRequest[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<AttemptKey, Handle>> {
    const found = new Map<AttemptKey, Handle>();
    const present = new Map<string, ReadonlySet<string>>();
    for (const { key, attempt } of requests) {
      const job = readMembership(attempt)?.job;
      if (job === undefined) {
        close(attempt);
        continue;
      }
      const isThere =
        readExit(attempt) !== undefined || (await this.#exists(key, job, present, signal));
      if (isThere) {
        found.set(key, attemptHandle(key, attempt));
        this.#know(key, attempt);
      } else {
        close(attempt);
        // The job may have been made for nothing.
        this.#of(job);
      }
    }
    return found;
  }

  /** A task that is not there is called off first, so that one still on its way does not begin. */
  async #exists(
    key: AttemptKey,
    job: string,
    present: Map<string, ReadonlySet<string>>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { batch, store, retry } = this.#foundation;
    let tasks = present.get(job);
    if (tasks === undefined) {
      tasks = await retry
        .call(() => batch.tasks(job), signal)
        .then(
          (rows) => new Set(rows.map(({ id }) => id.toLowerCase())),
          (error: unknown) => {
            if (hasCode(error, "JobNotFound")) return new Set<string>();
            throw error;
          },
        );
      present.set(job, tasks);
    }
    if (tasks.has(taskId(key))) return true;
    return !(await retry.call(() => callOff(store, key), signal));
  }
}

/** Jobs of runs carry their names; those of others may be in use by somebody who holds no lock. */
const OF_A_RUN = /-\d{8}-\d{6}-[a-z0-9]+-/;

async function* nothing(): AsyncIterable<Uint8Array> {}
