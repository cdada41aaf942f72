// Runs actions that are functions of the program flow is used in. They live and die with that
// program: nothing can be adopted, and a stop or a time-out is an abort signal that the function may
// heed; nothing can kill it.

import * as fs from "node:fs";
import type {
  Backend,
  BackendFailure,
  Handle,
  Job,
  Observation,
  ReattachRequest,
} from "../backend/backend.ts";
import type { Capabilities } from "../backend/capabilities.ts";
import { type AttemptKey, type BackendName, backendName } from "../model/ids.ts";
import { type Exit, exitWith, type StopReason } from "../model/outcome.ts";
import type { Limits } from "../model/resources.ts";
import { err, ok, type Result } from "../model/result.ts";
import { nodeClock } from "../ports/node/clock.ts";

/** Name of the backend in tasks whose action is a function. */
export const FUNCTIONS = "functions";

/** What a function is given. Paths are absolute. */
export interface FunctionContext {
  readonly task: string;
  /** 1, 2, … */
  readonly attempt: number;
  readonly root: string;
  readonly targets: readonly string[];
  readonly deps: readonly string[];
  /** Persistent over attempts. */
  readonly outputDirectory: string;
  /** Undefined when the task keeps no checkpoint. */
  readonly checkpointDirectory: string | undefined;
  /** The contract's variables. */
  readonly env: Readonly<Record<string, string>>;
  /** Aborted when the task is asked to stop; its reason is a {@link StopReason}. */
  readonly signal: AbortSignal;
  /** Writes a line to the task's log. */
  log(text: string): void;
  progress(done: number, total?: number): void;
  metrics(values: Readonly<Record<string, number>>, step?: number): void;
}

/** An action. Returning is success, throwing is failure; the error goes to the task's log. */
export type TaskFunction = (context: FunctionContext) => unknown;

interface Live {
  readonly abort: AbortController;
  observation: Observation;
}

const CAPABILITIES: Capabilities = {
  reattach: false,
  idempotentSubmit: true,
  requeues: false,
  sharedFilesystem: true,
  logs: "none",
  gpus: false,
  local: true,
  maxBatch: Number.MAX_SAFE_INTEGER,
  visibilityDelayMs: 0,
  pollIntervalMs: 1000,
  pushes: true,
};

export class FunctionBackend implements Backend {
  readonly name: BackendName = backendName(FUNCTIONS);
  readonly capabilities: Capabilities = CAPABILITIES;
  readonly #functions: ReadonlyMap<string, TaskFunction>;
  readonly #limits: Limits;
  readonly #live = new Map<AttemptKey, Live>();
  #listener: (keys: readonly AttemptKey[]) => void = () => {};

  /** `functions`: by task id. */
  constructor(functions: ReadonlyMap<string, TaskFunction>, limits: Limits) {
    this.#functions = functions;
    this.#limits = limits;
  }

  limits(): Limits {
    return this.#limits;
  }

  submit(jobs: readonly Job[]): Promise<ReadonlyMap<AttemptKey, Result<Handle, BackendFailure>>> {
    const answers = new Map<AttemptKey, Result<Handle, BackendFailure>>();
    for (const job of jobs) {
      const action = this.#functions.get(job.task);
      if (action === undefined) {
        const message = `\`${job.task}\` has no function in this program`;
        answers.set(job.key, err({ type: "rejected", message }));
        continue;
      }
      if (!this.#live.has(job.key)) void this.#call(job, action);
      answers.set(job.key, ok({ version: 1, key: job.key }));
    }
    return Promise.resolve(answers);
  }

  observe(
    handles: ReadonlyMap<AttemptKey, Handle>,
  ): Promise<Result<ReadonlyMap<AttemptKey, Observation>, BackendFailure>> {
    const lost: Observation = {
      type: "ended",
      exit: exitWith({ cause: "lost", detail: "the program that ran it has ended" }),
    };
    const seen = [...handles.keys()].map(
      (key) => [key, this.#live.get(key)?.observation ?? lost] as const,
    );
    return Promise.resolve(ok(new Map(seen)));
  }

  cancel(
    handle: Handle,
    _how: "graceful" | "forced",
    reason: StopReason,
  ): Promise<Result<void, BackendFailure>> {
    const { key } = handle as { readonly key: AttemptKey };
    this.#live.get(key)?.abort.abort(reason);
    return Promise.resolve(ok(undefined));
  }

  reattach(
    _attempts: readonly ReattachRequest[],
  ): Promise<Result<ReadonlyMap<AttemptKey, Handle>, BackendFailure>> {
    return Promise.resolve(ok(new Map()));
  }

  /** What a function logs is in its file. */
  async *logs(): AsyncIterable<Uint8Array> {}

  collect(): Promise<Result<readonly [], BackendFailure>> {
    return Promise.resolve(ok([]));
  }

  onChange(listener: (keys: readonly AttemptKey[]) => void): () => void {
    this.#listener = listener;
    return () => {
      this.#listener = () => {};
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const { abort } of this.#live.values()) abort.abort("shutdown" satisfies StopReason);
    return Promise.resolve();
  }

  async #call(job: Job, action: TaskFunction): Promise<void> {
    const startedAt = Date.now();
    const begin = performance.now();
    const abort = new AbortController();
    const live: Live = {
      abort,
      observation: { type: "running", since: startedAt, node: undefined },
    };
    this.#live.set(job.key, live);
    const cancelTimer =
      job.timeoutMs === undefined
        ? () => {}
        : nodeClock.after(job.timeoutMs, () => abort.abort("deadline" satisfies StopReason));
    let failure: string | undefined;
    try {
      await action(contextOf(job, abort.signal));
    } catch (error) {
      failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
      fs.appendFileSync(job.paths.stderr, `${failure}\n`);
    } finally {
      cancelTimer();
    }
    const exit: Exit = exitWith({
      code: failure === undefined ? 0 : 1,
      action: 0,
      stopped: abort.signal.aborted ? (abort.signal.reason as StopReason) : undefined,
      startedAt,
      endedAt: Date.now(),
      durationMs: performance.now() - begin,
      detail: failure?.split("\n")[0],
    });
    live.observation = { type: "ended", exit };
    this.#listener([job.key]);
  }
}

function contextOf(job: Job, signal: AbortSignal): FunctionContext {
  const { paths, env } = job;
  const tell = (event: object): void =>
    fs.appendFileSync(paths.events, `${JSON.stringify(event)}\n`);
  return {
    task: job.task,
    attempt: Number(env["FLOW_ATTEMPT"]),
    root: paths.root,
    targets: job.outputs.map((path) => `${paths.root}/${path}`),
    deps: job.inputs.map((path) => (path.startsWith("/") ? path : `${paths.root}/${path}`)),
    outputDirectory: paths.output,
    checkpointDirectory: env["FLOW_CHECKPOINT_DIR"],
    env,
    signal,
    log: (text) => fs.appendFileSync(paths.stdout, `${text}\n`),
    progress: (done, total) => tell({ k: "progress", done, total }),
    metrics: (v, step) => tell({ k: "metrics", step, v }),
  };
}
