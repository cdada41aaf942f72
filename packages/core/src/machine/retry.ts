// What follows from how an attempt ended: the task is done with, or it is tried again. Requeues are
// free of the retry budget and have guards of their own.

import {
  type Outcome,
  type RestartReason,
  retryCauses,
  type StopReason,
} from "../model/outcome.ts";
import type { ResourceRequest } from "../model/resources.ts";
import type { RetryPolicy } from "../model/task.ts";
import type { MachineTask } from "./plan.ts";

/** Requeues in a row without progress after which a task is given up. */
const IDLE_LIMIT = 3;

/** Attempts in a row whose program never ran that cost nothing, and the pause before the second. */
const MOST_UNBEGUN = 3;
const UNBEGUN_DELAY_MS = 5000;

/** What a task has used up in this run. */
export interface Spent {
  readonly retries: number;
  readonly requeues: number;
  /** Requeues in a row without progress. */
  readonly idle: number;
  /** Attempts in a row whose program never ran. */
  readonly unbegun: number;
}

export type Verdict =
  | { readonly again: false; readonly outcome: Outcome }
  | {
      readonly again: true;
      /** Which budget pays. */
      readonly as: "retry" | "requeue";
      readonly reason: RestartReason;
      readonly delayMs: number;
      readonly spent: Spent;
      /** Factors per resource for the next try; absent: the same resources. */
      readonly escalate: Readonly<Record<string, number>> | undefined;
    };

type Failure = Extract<Outcome, { readonly type: "failed" }>;

const failure = (kind: Failure["kind"], code: number | undefined, message: string): Failure => ({
  type: "failed",
  kind,
  code,
  signal: undefined,
  message,
});

/** Trying again cannot help: the attempt never had a chance, or a guard has already given it up. */
const HOPELESS: ReadonlySet<Failure["kind"]> = new Set<Failure["kind"]>([
  "rejected",
  "no-progress",
  "too-many-requeues",
  "input-missing",
  "requirement-not-met",
  "internal",
]);

/**
 * Decides about an attempt that ended neither well nor by a wish that is final (user, pruned).
 * `stopped` is why the machine had asked it to stop, if it had.
 */
export function decide(
  task: Pick<MachineTask, "retries" | "requeue">,
  outcome: Outcome,
  progressed: boolean,
  stopped: StopReason | undefined,
  before: Spent,
): Verdict {
  if (outcome.type === "interrupted" && outcome.cause === "not-begun")
    return begin(task.retries, outcome, before);
  const spent = { ...before, unbegun: 0 };
  if (outcome.type === "requeue" && task.requeue.mode === "never") {
    const message = `${outcome.message}; \`requeue: never\` makes that a failure`;
    return retry(task.retries, failure("exit", outcome.code, message), spent);
  }
  if (outcome.type === "requeue" || isTakenUpAgain(task, outcome)) {
    return requeue(task, outcome, progressed, stopped, spent);
  }
  return retry(task.retries, outcome, spent);
}

/** What never ran has done nothing, so `requeue: never` does not forbid it; `retries` pay for the rest. */
function begin(
  policy: RetryPolicy,
  outcome: Extract<Outcome, { readonly type: "interrupted" }>,
  spent: Spent,
): Verdict {
  const unbegun = spent.unbegun + 1;
  if (unbegun > MOST_UNBEGUN) {
    const message = `${outcome.message}; it could not be started ${unbegun} times in a row`;
    return retry(policy, { ...outcome, message }, { ...spent, unbegun });
  }
  return {
    again: true,
    as: "requeue",
    reason: restartReason(outcome, undefined),
    delayMs: UNBEGUN_DELAY_MS * 2 ** spent.unbegun,
    spent: { ...spent, unbegun },
    escalate: undefined,
  };
}

function isTakenUpAgain(task: Pick<MachineTask, "requeue">, outcome: Outcome): boolean {
  if (outcome.type !== "interrupted" || task.requeue.mode === "never") return false;
  return outcome.resumable || task.requeue.mode === "always";
}

function requeue(
  task: Pick<MachineTask, "requeue">,
  outcome: Outcome,
  progressed: boolean,
  stopped: StopReason | undefined,
  spent: Spent,
): Verdict {
  const { max, delayMs } = task.requeue;
  const code = outcome.type === "requeue" ? outcome.code : undefined;
  const idle = progressed ? 0 : spent.idle + 1;
  if (idle >= IDLE_LIMIT) {
    const message = `requeued ${IDLE_LIMIT} times in a row without progress: no newer checkpoint, no progress event and no change in the checkpoint directory`;
    return { again: false, outcome: failure("no-progress", code, message) };
  }
  if (max !== undefined && spent.requeues >= max) {
    const message = `asked to be requeued again after ${spent.requeues} requeues; \`max_requeues\` allows ${max}`;
    return { again: false, outcome: failure("too-many-requeues", code, message) };
  }
  return {
    again: true,
    as: "requeue",
    reason: restartReason(outcome, stopped),
    delayMs,
    spent: { ...spent, requeues: spent.requeues + 1, idle },
    escalate: undefined,
  };
}

function retry(policy: RetryPolicy, outcome: Outcome, spent: Spent): Verdict {
  const causes = retryCauses(outcome);
  const cause = causes.find((each) => policy.causes.includes(each));
  const hopeless = outcome.type === "failed" && HOPELESS.has(outcome.kind);
  const wanted = !hopeless && (policy.causes.length === 0 || cause !== undefined);
  if (!wanted || spent.retries >= policy.max) return { again: false, outcome };
  const escalating = causes.find((each) => policy.escalate[each] !== undefined);
  return {
    again: true,
    as: "retry",
    reason: outcome.type === "interrupted" ? restartReason(outcome, undefined) : "retry",
    delayMs: Math.min(policy.backoffMs * 2 ** spent.retries, policy.backoffMaxMs),
    spent: { ...spent, retries: spent.retries + 1, idle: 0 },
    escalate: escalating === undefined ? undefined : policy.escalate[escalating],
  };
}

function restartReason(outcome: Outcome, stopped: StopReason | undefined): RestartReason {
  if (outcome.type === "interrupted") {
    if (outcome.cause === "preempted") return "preempt";
    if (outcome.cause === "time-limit") return "deadline";
    if (outcome.cause !== "stopped") return "host-lost";
  }
  return stopped === "preempt" || stopped === "deadline" ? stopped : "requeue";
}

/**
 * The request with each named resource multiplied. Memory goes no further than `memoryCeiling` (what
 * there is at all), so that a last try with everything is not refused as too large.
 */
export function escalate(
  request: ResourceRequest,
  factors: Readonly<Record<string, number>>,
  memoryCeiling: number,
): ResourceRequest {
  const times = (amount: number | undefined, name: string): number | undefined =>
    amount === undefined ? undefined : Math.ceil(amount * (factors[name] ?? 1));
  const memory = times(request.memoryBytes, "mem");
  return {
    ...request,
    cpusMilli: times(request.cpusMilli, "cpus"),
    memoryBytes:
      memory === undefined || request.memoryBytes === undefined
        ? undefined
        : Math.max(request.memoryBytes, Math.min(memory, memoryCeiling)),
    gpuMemoryBytes: times(request.gpuMemoryBytes, "gpu_mem"),
    timeMs: times(request.timeMs, "time"),
  };
}
