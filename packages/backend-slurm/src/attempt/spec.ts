// A job as the node-side runner reads it. What changes with a restart by the scheduler is left out of
// the environment here; the job's script sets it on the node.

import { err, type Job, ok, type Result } from "@flow/core";
import { parseStopSignal, type RunnerSpec, shellSpec } from "@flow/task-py";

/** Variables that the node sets. */
const NODE_VARIABLES: ReadonlySet<string> = new Set([
  "FLOW_ATTEMPT",
  "FLOW_EVENTS",
  "FLOW_RESTART_COUNT",
  "FLOW_RESTART_REASON",
  "FLOW_RESUME",
  "FLOW_STOP_FILE",
  "FLOW_TMP_DIR",
  "TMPDIR",
]);

/**
 * The text of `spec.sh`. `scripts`: the folder of the node-side scripts; `ownVariable`: names that
 * belong to the scheduler. Fails with a sentence about what the runner cannot do.
 */
export function specOf(job: Job, scripts: string, ownVariable: RegExp): Result<string, string> {
  const signal = parseStopSignal(job.stop.signal);
  if (signal === undefined)
    return err(`\`stop.signal: ${job.stop.signal}\` cannot be sent in a batch job; use SIGTERM.`);
  const { timeMs } = job.resources;
  if (timeMs !== undefined && timeMs <= job.stop.graceMs)
    return err("`resources.time` must be longer than `stop.grace`, or the stop comes at once.");
  const env = Object.entries(job.env).filter(
    ([name]) => !NODE_VARIABLES.has(name) && !ownVariable.test(name),
  );
  const spec: RunnerSpec = {
    version: 1,
    key: job.key,
    actions: job.actions.map(action),
    finally: job.finally.map(action),
    cwd: job.cwd,
    env: { ...Object.fromEntries(env), ...pythonPath(job, scripts) },
    ...(job.timeoutMs === undefined ? {} : { timeout_s: job.timeoutMs / 1000 }),
    stop: {
      signal,
      grace_s: job.stop.graceMs / 1000,
      cause: ["sh", `${scripts}/cause.sh`],
    },
    signals: {
      TERM: "shutdown",
      INT: "user",
      HUP: "ignore",
      USR1: "forward",
      USR2: "deadline",
      CONT: "ignore",
    },
    ...(job.restarts === undefined ? {} : { requeue: requeue(job, scripts, job.restarts.max) }),
  };
  try {
    return ok(shellSpec(spec) + nodeFacts(job));
  } catch (error) {
    return err(`${(error as Error).message}.`);
  }
}

/** The script-side helper where the nodes see it, before the place it has on this machine. */
const pythonPath = ({ env }: Job, scripts: string): Readonly<Record<string, string>> =>
  env["PYTHONPATH"] === undefined ? {} : { PYTHONPATH: `${scripts}/python:${env["PYTHONPATH"]}` };

function action({ argv, cwd, env, stdin, timeoutMs, okExit }: Job["actions"][number]) {
  return {
    argv,
    cwd,
    env,
    ...(stdin === undefined ? {} : { stdin }),
    ...(timeoutMs === undefined ? {} : { timeout_s: timeoutMs / 1000 }),
    ok_exit: okExit,
  };
}

const requeue = (job: Job, scripts: string, max: number | undefined) => ({
  codes: job.requeueCodes,
  argv: ["sh", `${scripts}/requeue.sh`, String(max ?? "-"), job.paths.checkpoint],
});

/** What the job's script adds to on the node. Times are whole seconds. */
function nodeFacts({ env, resources, timeoutMs, stop }: Job): string {
  const attempt = /^\d+$/.exec(env["FLOW_ATTEMPT"] ?? "")?.[0] ?? "1";
  const reason = /^[a-z-]+$/.exec(env["FLOW_RESTART_REASON"] ?? "")?.[0] ?? "first";
  const limit = resources.timeMs === undefined ? "" : Math.ceil(resources.timeMs / 60_000) * 60;
  const own = timeoutMs === undefined ? "" : Math.ceil((timeoutMs + stop.graceMs) / 1000);
  return `job_attempt=${attempt} job_reason=${reason} job_seconds=${limit} job_timeout=${own}\n`;
}
