// Plain jobs for tests of backends.

import type { Job, JobAction } from "../backend/backend.ts";
import { attemptKey, taskKey } from "../model/ids.ts";
import { NO_RESOURCES } from "../model/resources.ts";

let made = 0;

/** A job with a key of its own, that differs from a plain one in what is given. */
export function jobOf(actions: readonly JobAction[], changes: Partial<Job> = {}): Job {
  made += 1;
  const key = changes.key ?? attemptKey(taskKey(made.toString(16).padStart(16, "0")), 1);
  const attempt = `/project/.flow/attempts/${key}`;
  const stop = `${attempt}/stop`;
  return {
    key,
    task: `task@n=${made}`,
    group: "task",
    actions,
    finally: [],
    secrets: [],
    cwd: "/project",
    paths: {
      root: "/project",
      attempt,
      stdout: `${attempt}/stdout`,
      stderr: `${attempt}/stderr`,
      started: `${attempt}/started`,
      exit: `${attempt}/exit`,
      stop,
      events: `${attempt}/events.0.jsonl`,
      usage: `${attempt}/usage.jsonl`,
      output: `${attempt}/out`,
      checkpoint: `${attempt}/ckpt`,
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
    ...changes,
    env: { FLOW_STOP_FILE: stop, FLOW_TASK_DIR: attempt, ...changes.env },
  };
}
