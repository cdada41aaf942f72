/** A local backend over a temporary project, and jobs made of shell commands. */

import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Backend,
  backendName,
  type Clock,
  type Exit,
  type Handle,
  type Job,
  type JobAction,
  type Log,
  nodeClock,
  type Observation,
} from "@flow/core";
import { shellFixture } from "@flow/core/testing";
import { type LocalManners, openLocal } from "../src/backend.ts";

/** Ways to start an attempt's shell; every behaviour holds for both. */
export const WAYS = [
  ["in a shell that lives on", true],
  ["in a shell of its own", false],
] as const;

export interface RigOptions extends LocalManners {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  /** The project's folder below a temporary one. */
  readonly root?: string;
}

/** A test's backend, folder and messages. Disposing it ends everything. */
export class Rig implements AsyncDisposable {
  readonly root: string;
  readonly warnings: string[] = [];
  backend: Backend;
  readonly #folder: string;
  readonly #options: RigOptions;
  readonly #makeJob: (programs: [], changes: object) => Job;
  readonly #end: () => Promise<void>;
  readonly signal: AbortSignal = new AbortController().signal;

  private constructor(
    folder: string,
    options: RigOptions,
    fixture: Awaited<ReturnType<typeof shellFixture>>,
  ) {
    this.#folder = folder;
    this.#options = options;
    this.root = options.root === undefined ? folder : join(folder, options.root);
    mkdirSync(this.root, { recursive: true });
    this.backend = this.open();
    this.#makeJob = (programs, changes) => fixture.job(programs, changes);
    this.#end = async () => fixture[Symbol.asyncDispose]();
  }

  static async make(options: RigOptions = {}): Promise<Rig> {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), "flow-")));
    const fixture = await shellFixture(() => Promise.reject(new Error("the rig opens it")));
    return new Rig(folder, options, fixture);
  }

  open(): Backend {
    const log: Log = {
      debug: () => {},
      info: () => {},
      warn: (message) => this.warnings.push(message),
    };
    return openLocal(
      {
        name: backendName("local"),
        options: { cpusMilli: undefined, memoryBytes: undefined },
        root: this.root,
        stateDirectory: this.root,
        ports: {
          clock: this.#options.clock ?? nodeClock,
          log,
          env: this.#options.env ?? process.env,
        },
      },
      this.#options,
    );
  }

  /** A job of shell commands (text) and programs (lists), in the rig's root. */
  job(commands: readonly (string | readonly string[])[], changes: Partial<Job> = {}): Job {
    const job = this.#makeJob([], {});
    const attempt = join(this.root, job.key);
    mkdirSync(attempt, { recursive: true });
    const actions = commands.map((command) => this.action(command));
    const paths = { ...job.paths, attempt, stop: join(attempt, "stop") };
    return {
      ...job,
      env: { FLOW_STOP_FILE: paths.stop, FLOW_TASK_DIR: attempt },
      actions,
      cwd: this.root,
      paths,
      ...changes,
    };
  }

  action(command: string | readonly string[]): JobAction {
    const argv = typeof command === "string" ? ["sh", "-e", "-c", command] : command;
    return { argv, cwd: this.root, env: {}, timeoutMs: undefined, okExit: [0], stdin: undefined };
  }

  async submit(job: Job): Promise<Handle> {
    const answer = (await this.backend.submit([job], this.signal)).get(job.key);
    if (answer?.ok !== true) throw new Error(JSON.stringify(answer));
    return answer.value;
  }

  /** What is observed of an attempt now. */
  async seen(job: Job, handle: Handle): Promise<Observation | undefined> {
    const answer = await this.backend.observe(new Map([[job.key, handle]]), this.signal);
    return answer.ok ? answer.value.get(job.key) : undefined;
  }

  async ended(job: Job, handle: Handle): Promise<Exit> {
    let exit: Exit | undefined;
    await until(async () => {
      const observation = await this.seen(job, handle);
      exit = observation?.type === "ended" ? observation.exit : undefined;
      return exit !== undefined;
    });
    return exit as unknown as Exit;
  }

  async run(job: Job): Promise<Exit> {
    return this.ended(job, await this.submit(job));
  }

  /** What is observed of an attempt that is found from its directory, as after a restart. */
  async found(job: Job): Promise<"never started" | Exit | "not ended"> {
    const request = { key: job.key, attempt: job.paths.attempt, handle: undefined };
    const answer = await this.backend.reattach([request], this.signal);
    const handle = answer.ok ? answer.value.get(job.key) : undefined;
    if (handle === undefined) return "never started";
    const observation = await this.seen(job, handle);
    return observation?.type === "ended" ? observation.exit : "not ended";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.backend[Symbol.asyncDispose]();
    await this.#end();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Waits until a condition holds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error("the condition did not come to hold in 60 s");
    await nodeClock.sleep(5);
  }
}
