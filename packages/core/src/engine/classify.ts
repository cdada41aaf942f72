// What an attempt's end means. The rules are tried in the order they stand here; the first that
// fits decides. Whether declared targets are there is asked by the caller afterwards.

import type { Exit, Outcome, StopReason } from "../model/outcome.ts";
import type { RequeuePolicy } from "../model/task.ts";

/** 75 EX_TEMPFAIL, 85 ERESTART (HTCondor), 99 (Grid Engine, OAR, LSF). */
export const REQUEUE_CODES: readonly number[] = [75, 85, 99];

/** What besides the exit itself decides. */
export interface ClassifyFacts {
  readonly exit: Exit;
  /** The stop flow asked for; the exit's own `stopped` may name one the node was told of. */
  readonly stop: StopReason | undefined;
  /** A `done` event was seen. */
  readonly doneEvent: boolean;
  readonly requeueEvent: boolean;
  /** The checkpoint directory holds something. */
  readonly hasCheckpoint: boolean;
  /** The task declares targets and all exist again. */
  readonly targetsMade: () => boolean;
  readonly policy: RequeuePolicy;
  /** The tail of stderr and stdout, for signs of memory that ran out. */
  readonly tail: string;
}

/** Phrases of the frameworks when a GPU's memory is gone. */
const GPU_MEMORY = [
  /CUDA out of memory/i,
  /CUDA error: out of memory/i,
  /CUDNN_STATUS_ALLOC_FAILED/,
  /CUBLAS_STATUS_ALLOC_FAILED/,
  /OutOfMemoryError: .*(GPU|CUDA|HIP)/i,
  /RESOURCE_EXHAUSTED: .*(memory|allocat)/i,
  /ResourceExhaustedError.*OOM when allocating/is,
  /hipErrorOutOfMemory/,
];

/** How the attempt ended. Total: every exit has a meaning. */
export function classify(facts: ClassifyFacts): Outcome {
  const { exit } = facts;
  const stop = facts.stop ?? exit.stopped;
  const killed = exit.signal !== undefined;
  const succeeded = exit.code === 0 && !killed && exit.cause === undefined;
  // A stop that the attempt was never told of came too late to mean anything.
  if (succeeded && exit.stopped === undefined) return { type: "success" };
  if (facts.doneEvent && (succeeded || (killed && stop !== undefined))) return { type: "success" };
  if (stop === "pruned") return { type: "pruned", message: "stopped early as not promising" };
  if (stop === "user") return { type: "cancelled", message: "cancelled; it can be resumed" };
  if (asksForRequeue(facts)) return requeue(facts);
  if (succeeded && facts.targetsMade()) return { type: "success" };
  if (succeeded) return requeue(facts);
  const oom = outOfMemory(facts);
  if (oom !== undefined) return oom;
  if (exit.cause !== undefined) return takenAway(exit, facts);
  if (stop === "hung") return failed("hung", exit, "gave no sign of life and was stopped");
  if (stop !== undefined && (killed || wasKilledByItsShell(exit))) return stopped(stop, facts);
  if (killed) return failed("signal", exit, `killed by ${exit.signal}`);
  if (exit.code === undefined) {
    return { ...lost(facts), message: exit.detail ?? "ended without leaving a result" };
  }
  return failed("exit", exit, exit.detail ?? explainCode(exit.code));
}

function asksForRequeue({ exit, policy, requeueEvent }: ClassifyFacts): boolean {
  if (requeueEvent) return true;
  return (
    exit.code !== undefined &&
    (REQUEUE_CODES.includes(exit.code) || policy.codes.includes(exit.code))
  );
}

function requeue({ exit, policy }: ClassifyFacts): Outcome {
  if (policy.mode === "never") {
    return failed("exit", exit, "asked to be requeued, which `requeue: never` forbids");
  }
  return { type: "requeue", code: exit.code, message: "asked to be requeued" };
}

function outOfMemory({ exit, tail }: ClassifyFacts): Outcome | undefined {
  if (exit.cause === "out-of-memory") {
    return { type: "oom", device: "memory", message: exit.detail ?? "ran out of memory" };
  }
  const line = tail.split("\n").find((text) => GPU_MEMORY.some((sign) => sign.test(text)));
  return line === undefined
    ? undefined
    : { type: "oom", device: "gpu", message: `ran out of GPU memory: ${line.trim()}` };
}

/** A shell reports a child killed by signal n as exit code 128 + n. */
const wasKilledByItsShell = (exit: Exit): boolean =>
  exit.code === 137 || exit.code === 143 || exit.code === 130;

const mayResume = ({ policy, hasCheckpoint }: ClassifyFacts): boolean =>
  policy.mode === "always" || (policy.mode === "auto" && hasCheckpoint);

function takenAway(exit: Exit, facts: ClassifyFacts): Outcome {
  const resumable = mayResume(facts);
  const message = exit.detail;
  switch (exit.cause) {
    case "preempted":
      return interrupted("preempted", resumable, message ?? "preempted by the system");
    case "node-failed":
      return interrupted("node-failed", resumable, message ?? "its node failed");
    case "time-limit":
      return interrupted("time-limit", resumable, message ?? "reached the system's time limit");
    case "not-begun":
      return interrupted("not-begun", true, message ?? "could not be started on its node");
    default:
      return interrupted("lost", resumable, message ?? "its host went away");
  }
}

function stopped(stop: StopReason, facts: ClassifyFacts): Outcome {
  const resumable = mayResume(facts);
  if (stop === "deadline") {
    if (resumable) return interrupted("time-limit", true, "stopped at its time limit");
    return failed("timeout", facts.exit, "ran longer than its timeout and was stopped");
  }
  if (stop === "preempt") return interrupted("preempted", resumable, "preempted by the system");
  return interrupted("stopped", resumable, "stopped before it was done");
}

const lost = (facts: ClassifyFacts): Outcome & { type: "interrupted" } => ({
  type: "interrupted",
  cause: "lost",
  resumable: mayResume(facts),
  message: "ended without leaving a result",
});

function interrupted(
  cause: (Outcome & { type: "interrupted" })["cause"],
  resumable: boolean,
  message: string,
): Outcome {
  return { type: "interrupted", cause, resumable, message };
}

function failed(
  kind: (Outcome & { type: "failed" })["kind"],
  exit: Exit,
  message: string,
): Outcome {
  return { type: "failed", kind, code: exit.code, signal: exit.signal, message };
}

function explainCode(code: number): string {
  if (code === 127) return "exit 127: a command was not found";
  if (code === 126) return "exit 126: a command could not be executed";
  if (code > 128 && code < 165) return `exit ${code}: probably killed by signal ${code - 128}`;
  return `exit ${code}`;
}
