// A backend for tests of the engine: runs jobs as plain children of the test process.

import { spawn } from "node:child_process";
import * as fs from "node:fs";
import type { Backend, Job, Observation } from "../../src/backend/backend.ts";
import { type AttemptKey, backendName } from "../../src/model/ids.ts";
import type { Exit } from "../../src/model/outcome.ts";
import { ok } from "../../src/model/result.ts";

const exitOf = (code: number | undefined, signal: string | undefined): Exit => ({
  code,
  signal,
  action: 0,
  stopped: undefined,
  cause: undefined,
  startedAt: undefined,
  endedAt: undefined,
  durationMs: 1,
  node: undefined,
  usage: undefined,
  leaky: false,
  detail: undefined,
});

export function shellBackend(): Backend & { readonly jobs: readonly Job[] } {
  const jobs: Job[] = [];
  const state = new Map<AttemptKey, Observation>();
  let listener: (keys: readonly AttemptKey[]) => void = () => {};
  const start = (job: Job): void => {
    jobs.push(job);
    state.set(job.key, { type: "running", since: undefined, node: undefined });
    const [action] = job.actions;
    const [program = "true", ...rest] = action?.argv ?? [];
    const output = fs.openSync(job.paths.stdout, "a");
    const errors = fs.openSync(job.paths.stderr, "a");
    const child = spawn(program, rest, {
      cwd: action?.cwd,
      env: { ...process.env, ...job.env, ...action?.env },
      stdio: ["ignore", output, errors],
    });
    child.on("exit", (code, signal) => {
      fs.closeSync(output);
      fs.closeSync(errors);
      state.set(job.key, { type: "ended", exit: exitOf(code ?? undefined, signal ?? undefined) });
      listener([job.key]);
    });
  };
  return {
    jobs,
    name: backendName("local"),
    capabilities: {
      reattach: false,
      idempotentSubmit: true,
      requeues: false,
      sharedFilesystem: true,
      logs: "stream",
      gpus: false,
      local: true,
      maxBatch: 100,
      visibilityDelayMs: 0,
      pollIntervalMs: 1000,
      pushes: true,
    },
    limits: () => ({ slots: undefined, cpusMilli: 4000, memoryBytes: undefined, pools: {} }),
    submit: async (submitted) => {
      for (const job of submitted) start(job);
      return new Map(submitted.map(({ key }) => [key, ok(key as string)]));
    },
    observe: async (handles) =>
      ok(
        new Map(
          [...handles.keys()].flatMap((key) => {
            const seen = state.get(key);
            return seen === undefined ? [] : [[key, seen] as const];
          }),
        ),
      ),
    cancel: async () => ok(undefined),
    reattach: async () => ok(new Map()),
    logs: async function* () {},
    collect: async () => ok([]),
    onChange: (next) => {
      listener = next;
      return () => {
        listener = () => {};
      };
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
