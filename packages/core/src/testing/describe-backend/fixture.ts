// What the conformance suite needs of whoever tests a backend, and how it waits.

import type { Backend, Handle, Job, Observation } from "../../backend/backend.ts";
import type { Capabilities } from "../../backend/capabilities.ts";
import type { AttemptKey } from "../../model/ids.ts";
import type { Exit } from "../../model/outcome.ts";
import type { Program } from "./program.ts";

/** The part of a test framework that the suite uses; Vitest, Jest and node:test with expect have it. */
export interface TestApi {
  describe(name: string, body: () => void): void;
  readonly it: {
    (name: string, body: () => Promise<void>): void;
    skip(name: string, body: () => Promise<void>): void;
  };
  expect(actual: unknown): Expectation;
}

interface Expectation {
  readonly not: Expectation;
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
  toMatchObject(expected: object): void;
  toContain(expected: unknown): void;
  toBeGreaterThan(expected: number): void;
}

/** Changes to a job's defaults: one action per program, a grace of ten seconds, no time limit. */
export type JobChanges = Partial<
  Pick<
    Job,
    | "env"
    | "secrets"
    | "stop"
    | "timeoutMs"
    | "requeueCodes"
    | "restarts"
    | "resources"
    | "finally"
    | "interactive"
  >
> & {
  /** Applied to every action. */
  readonly action?: Partial<Job["actions"][number]>;
};

/** One backend over one system, which may be opened several times. Disposing it ends everything. */
export interface BackendFixture extends AsyncDisposable {
  /** Opens the backend as a new flow process would; the system and its jobs stay what they are. */
  open(): Promise<Backend>;
  /** A job that runs these programs, with a key of its own and its directories made. */
  job(programs: readonly Program[], changes?: JobChanges): Job;
  /** A program as an action of a job, for `finally`. */
  action(job: Job, program: Program): Job["actions"][number];
  /** Lets the job's waiting programs end. */
  release(job: Job): void;
  /** Names of the job's programs, in the order in which they began. */
  witness(job: Job): readonly string[];
  /** Number of living processes of the job's programs; absent where it cannot be seen. */
  living?(job: Job): number;
  /** Lets time pass, in small steps, until the condition holds; fails when that takes too long. */
  until(condition: () => boolean | Promise<boolean>, what: string): Promise<void>;
  /** Cuts the connection to the system, or heals it; absent where there is none to cut. */
  connect?(connected: boolean): void;
}

/** A backend to test. */
export interface BackendUnderTest {
  readonly capabilities: Capabilities;
  /** Whether its fixtures have a connection that can be cut. */
  readonly hasConnection: boolean;
  make(): Promise<BackendFixture>;
}

/** A fixture with one open backend, and the verbs of the tests. */
export class Bench {
  readonly fixture: BackendFixture;
  readonly signal: AbortSignal = new AbortController().signal;
  backend: Backend;

  constructor(fixture: BackendFixture, backend: Backend) {
    this.fixture = fixture;
    this.backend = backend;
  }

  /** Runs a test over a new fixture, which is disposed of whatever happens. */
  static async use(
    subject: BackendUnderTest,
    test: (bench: Bench) => Promise<void>,
  ): Promise<void> {
    const fixture = await subject.make();
    const bench = new Bench(fixture, await fixture.open());
    try {
      await test(bench);
    } finally {
      await bench.backend[Symbol.asyncDispose]();
      await fixture[Symbol.asyncDispose]();
    }
  }

  /** Closes the backend and opens it again, as when flow was restarted. */
  async restart(): Promise<void> {
    await this.backend[Symbol.asyncDispose]();
    this.backend = await this.fixture.open();
  }

  /** Submits one job and insists on its handle. */
  async submit(job: Job): Promise<Handle> {
    const answers = await this.backend.submit([job], this.signal);
    const answer = answers.get(job.key);
    if (answer?.ok !== true) throw new Error(`not accepted: ${JSON.stringify(answer?.error)}`);
    return answer.value;
  }

  /** What is known of one job; undefined when the answer says nothing of it. */
  async observe(job: Job, handle: Handle): Promise<Observation | undefined> {
    const answer = await this.backend.observe(new Map([[job.key, handle]]), this.signal);
    if (!answer.ok) throw new Error(`not observed: ${JSON.stringify(answer.error)}`);
    return answer.value.get(job.key);
  }

  /** Waits for the end of a job. */
  async ended(job: Job, handle: Handle): Promise<Exit> {
    let exit: Exit | undefined;
    await this.fixture.until(async () => {
      const observation = await this.observe(job, handle);
      if (observation?.type === "ended") exit = observation.exit;
      return exit !== undefined;
    }, "the end of the job");
    if (exit === undefined) throw new Error("the job did not end");
    return exit;
  }

  /** Submits one job and waits for its end. */
  async run(job: Job): Promise<Exit> {
    return this.ended(job, await this.submit(job));
  }

  /** Waits until so many of a job's programs have begun. */
  begun(job: Job, count: number = 1): Promise<void> {
    return this.fixture.until(
      () => this.fixture.witness(job).length >= count,
      "a program to begin",
    );
  }

  /** Waits until the job has printed this. */
  printed(job: Job, handle: Handle, text: string): Promise<void> {
    return this.fixture.until(
      async () => (await this.output(job, handle, "stdout", false)).includes(text),
      `the output ${JSON.stringify(text)}`,
    );
  }

  /** A stream of a job: all of it once the job has ended, or what there is now. */
  async output(
    _job: Job,
    handle: Handle,
    stream: "stdout" | "stderr" = "stdout",
    whole: boolean = true,
    fromByte: number = 0,
  ): Promise<string> {
    const controller = new AbortController();
    const chunks: Uint8Array[] = [];
    const read = async (): Promise<void> => {
      for await (const chunk of this.backend.logs(handle, stream, fromByte, controller.signal))
        chunks.push(chunk);
    };
    const reading = read();
    if (!whole) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      controller.abort();
    }
    await reading;
    return Buffer.concat(chunks).toString();
  }

  /** Cancels a job and insists that the backend agrees. */
  async cancel(handle: Handle, how: "graceful" | "forced"): Promise<void> {
    const answer = await this.backend.cancel(handle, how, "user", this.signal);
    if (!answer.ok) throw new Error(`not cancelled: ${JSON.stringify(answer.error)}`);
  }

  /** Asks for the handles of jobs from their keys alone. */
  async reattach(jobs: readonly Job[]): Promise<ReadonlyMap<AttemptKey, Handle>> {
    const requests = jobs.map(({ key, paths }) => ({
      key,
      attempt: paths.attempt,
      handle: undefined,
    }));
    const answer = await this.backend.reattach(requests, this.signal);
    if (!answer.ok) throw new Error(`not reattached: ${JSON.stringify(answer.error)}`);
    return answer.value;
  }
}
