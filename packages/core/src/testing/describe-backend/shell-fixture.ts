// A fixture for backends that run commands on this machine or on nodes that share its files: jobs are
// shell commands in a temporary directory, watched through files and the process table.

import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Backend, Job } from "../../backend/backend.ts";
import { attemptKey, taskKey } from "../../model/ids.ts";
import { NO_RESOURCES } from "../../model/resources.ts";
import type { BackendFixture, JobChanges } from "./fixture.ts";
import { type Program, shellAction } from "./program.ts";

/** How long a condition may take to hold. */
const PATIENCE_MS = 60_000;

/** Processes are found by their attempt's key, so no other test process on this machine may use the same. */
const ownKeys = randomBytes(5).toString("hex");
let lastKey = 0;

/** A fixture in a new temporary directory, which `open` gets as the project's root. */
export async function shellFixture(
  open: (root: string) => Promise<Backend>,
): Promise<BackendFixture> {
  // Blanks and quotes in every path: whatever is not quoted somewhere fails.
  const root = join(realpathSync(mkdtempSync(join(tmpdir(), "flow-"))), 'a project\'s "root"');
  mkdirSync(root);
  const files = (job: Job) => ({
    witness: join(job.paths.output, "witness"),
    release: join(job.paths.output, "release"),
  });
  return {
    open: () => open(root),
    job: (programs, changes) => makeJob(root, programs, changes),
    action: (job, program) => shellAction(program, files(job), root),
    release: (job) => writeFileSync(files(job).release, ""),
    witness: (job) =>
      existsSync(files(job).witness)
        ? readFileSync(files(job).witness, "utf8").trimEnd().split("\n")
        : [],
    living: (job) => processesWith(job.paths.attempt).length,
    until,
    async [Symbol.asyncDispose]() {
      try {
        await until(() => processesWith(root).length === 0, "the jobs' processes to be gone");
      } catch (error) {
        // Only then: what follows a job's end may be the cluster's own. A node whose epilog is killed takes no more jobs.
        for (const pid of processesWith(root)) killIfThere(pid);
        throw error;
      } finally {
        // A cluster's own processes may still be writing there.
        rmSync(join(root, ".."), { recursive: true, force: true, maxRetries: 20 });
      }
    },
  };
}

function makeJob(root: string, programs: readonly Program[], changes: JobChanges = {}): Job {
  lastKey += 1;
  const key = attemptKey(taskKey(ownKeys + lastKey.toString(16).padStart(6, "0")), 1);
  const attempt = join(root, "attempts", key);
  const output = join(root, "out", key);
  mkdirSync(attempt, { recursive: true });
  mkdirSync(output, { recursive: true });
  const files = { witness: join(output, "witness"), release: join(output, "release") };
  const { action, env, ...rest } = changes;
  const stop = join(attempt, "stop");
  return {
    key,
    task: `task@n=${lastKey}`,
    group: "task",
    actions: programs.map((program) => ({ ...shellAction(program, files, root), ...action })),
    finally: [],
    env: { FLOW_STOP_FILE: stop, FLOW_TASK_DIR: attempt, ...env },
    secrets: [],
    cwd: root,
    paths: {
      root,
      attempt,
      stdout: join(attempt, "stdout"),
      stderr: join(attempt, "stderr"),
      started: join(attempt, "started"),
      exit: join(attempt, "exit"),
      stop,
      events: join(attempt, "events.0.jsonl"),
      usage: join(attempt, "usage.jsonl"),
      output,
      checkpoint: join(output, "ckpt"),
    },
    resources: NO_RESOURCES,
    stop: { signal: "SIGTERM", graceMs: 10_000 },
    timeoutMs: undefined,
    requeueCodes: [75, 85, 99],
    interactive: false,
    inputs: [],
    outputs: [],
    mounts: {},
    container: undefined,
    options: {},
    ...rest,
  };
}

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${PATIENCE_MS / 1000} s for ${what}`);
    await sleep(5);
  }
}

/** Living processes whose environment names a path. */
function processesWith(path: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => {
      try {
        const environment = readFileSync(`/proc/${name}/environ`, "utf8");
        return environment.includes(path);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** A process may end between being found and being killed. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
