/** Jobs on a real cluster, submitted by the backend itself without the rest of flow. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { backend } from "@flow/backend-slurm";
import {
  type Backend,
  backendName,
  type Exit,
  type Handle,
  type Job,
  nodeClock,
  type Observation,
  silentLog,
} from "@flow/core";
import { type BackendFixture, shellFixture } from "@flow/core/testing";
import type { Cluster } from "./cluster.ts";

/** What is waited for comes in seconds or never. */
const PATIENCE_MS = 120_000;

export interface JobBench extends AsyncDisposable {
  readonly fixture: BackendFixture;
  readonly backend: Backend;
  /** A job that runs a shell text; the checkpoint directory is `$CKPT`. */
  job(script: string, changes?: Partial<Job>): Job;
  submit(job: Job): Promise<Handle>;
  observe(job: Job): Promise<Observation>;
  /** Waits for an observation of a type. */
  seen<Type extends Observation["type"]>(
    job: Job,
    type: Type,
  ): Promise<Observation & { type: Type }>;
  ended(job: Job): Promise<Exit>;
  /** Waits until the job is queued and that is why. */
  waitsFor(job: Job, why: string): Promise<void>;
  output(job: Job): string;
  /** Waits until the job's output holds a text. */
  printed(job: Job, text: string): Promise<void>;
  /** The scheduler's number of a job. */
  id(job: Job): string;
  /** Puts a program of this name before the real one. In the script `$REAL` is the real one's path. */
  wrap(program: string, script: string): void;
  /** Text that wrappers left in a file beside them. */
  told(name: string): string;
}

/** `options` are those of the flow file. */
export async function openBench(
  cluster: Cluster,
  options: Readonly<Record<string, unknown>> = {},
): Promise<JobBench> {
  let opened: Backend | undefined;
  let root = "";
  const path = process.env["PATH"] ?? "";
  const fixture = await shellFixture(async (place) => {
    root = place;
    mkdirSync(join(root, "bin"), { recursive: true });
    const env = { ...cluster.env, PATH: `${join(root, "bin")}${delimiter}${path}` };
    const parsed = backend.parseOptions({ poll: "200ms", ...options });
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
    const answer = await backend.open({
      name: backendName("cluster"),
      options: parsed.value,
      root,
      stateDirectory: root,
      ports: { clock: nodeClock, log: silentLog, env },
    });
    if (!answer.ok) throw new Error(answer.error);
    opened = answer.value;
    return opened;
  });
  const open = await fixture.open();
  const signal = new AbortController().signal;
  const handles = new Map<string, Handle>();
  const submitted: Job[] = [];

  async function submit(job: Job): Promise<Handle> {
    const answer = (await open.submit([job], signal)).get(job.key);
    if (answer?.ok !== true) throw new Error(JSON.stringify(answer));
    handles.set(job.key, answer.value);
    submitted.push(job);
    return answer.value;
  }

  async function observe(job: Job): Promise<Observation> {
    const answer = await open.observe(new Map([[job.key, handles.get(job.key) ?? null]]), signal);
    const observation = answer.ok ? answer.value.get(job.key) : undefined;
    if (observation === undefined) throw new Error("no observation");
    return observation;
  }

  async function until(
    condition: () => boolean | Promise<boolean>,
    what: () => string,
  ): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    while (!(await condition())) {
      if (performance.now() > end) throw new Error(`waited ${PATIENCE_MS / 1000} s for ${what()}`);
      await nodeClock.sleep(50);
    }
  }

  async function seen<Type extends Observation["type"]>(job: Job, type: Type) {
    let last: Observation | undefined;
    await until(
      async () => {
        last = await observe(job);
        return last.type === type;
      },
      () => `${type}; last: ${JSON.stringify(last)}; output: ${output(job)}`,
    );
    return last as Observation & { type: Type };
  }

  const output = (job: Job): string =>
    existsSync(job.paths.stdout) ? readFileSync(job.paths.stdout, "utf8") : "";

  return {
    fixture,
    backend: open,
    job(script, changes) {
      const job = fixture.job([]);
      const checkpoint = job.paths.checkpoint;
      mkdirSync(checkpoint, { recursive: true });
      return {
        ...job,
        env: { ...job.env, FLOW_CHECKPOINT_DIR: checkpoint, CKPT: checkpoint, FLOW_ATTEMPT: "1" },
        actions: [
          {
            argv: ["sh", "-c", script],
            cwd: job.cwd,
            env: {},
            timeoutMs: undefined,
            okExit: [0],
            stdin: undefined,
          },
        ],
        ...changes,
      };
    },
    submit,
    observe,
    seen,
    ended: async (job) => (await seen(job, "ended")).exit,
    async waitsFor(job, why) {
      let last: Observation | undefined;
      await until(
        async () => {
          last = await observe(job);
          return last.type === "queued" && last.why === why;
        },
        () => `${JSON.stringify(why)}; last: ${JSON.stringify(last)}`,
      );
    },
    output,
    printed: (job, text) =>
      until(
        () => output(job).includes(text),
        () => `${JSON.stringify(text)} in ${JSON.stringify(output(job))}`,
      ),
    id(job) {
      const [name = ""] = readFileSync(join(job.paths.attempt, "submission.0"), "utf8").split(" ");
      return readFileSync(join(root, "backends/cluster", name, "job"), "utf8").trim();
    },
    wrap(program, script) {
      const real = path
        .split(delimiter)
        .map((folder) => join(folder, program))
        .find((each) => existsSync(each));
      const file = join(root, "bin", program);
      const text = `#!/bin/sh\nREAL='${real}'\ncd "\${0%/*}"\n${script}\n`;
      writeFileSync(file, text);
      chmodSync(file, 0o755);
    },
    told: (name) => {
      const file = join(root, "bin", name);
      return existsSync(file) ? readFileSync(file, "utf8") : "";
    },
    async [Symbol.asyncDispose]() {
      for (const job of submitted) {
        const handle = handles.get(job.key) ?? null;
        await open.cancel(handle, "forced", "user", signal);
      }
      await open[Symbol.asyncDispose]();
      await fixture[Symbol.asyncDispose]();
    },
  };
}
