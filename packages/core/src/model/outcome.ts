// How an attempt ended: what was observed (an Exit) and what that means (an Outcome).

const STOP_REASONS = ["deadline", "preempt", "user", "pruned", "hung", "shutdown"] as const;

/** Why a running attempt was asked to stop. */
export type StopReason = (typeof STOP_REASONS)[number];

/** The reason a stop request names; a word that is none was a person's. */
export const stopReason = (word: unknown): StopReason =>
  STOP_REASONS.find((reason) => reason === word) ?? "user";

/** Why an attempt is not the first of its task, as the program sees it in FLOW_RESTART_REASON. */
export type RestartReason =
  | "first"
  | "requeue"
  | "preempt"
  | "deadline"
  | "retry"
  | "host-lost"
  | "manual"
  | "promote";

/** What a system outside says took an attempt away. */
export type ExternalCause =
  | "preempted"
  | "node-failed"
  | "time-limit"
  | "out-of-memory"
  | "lost"
  /** Its program never ran: what it needs could not be brought to its node, say. */
  | "not-begun";

/** What an attempt used. A field is absent where it could not be seen. */
export interface Usage {
  readonly cpuSeconds: number | undefined;
  readonly peakMemoryBytes: number | undefined;
  readonly gpuPeakMemoryBytes: number | undefined;
}

/** The machine an attempt ran on. */
export interface MachineFacts {
  /** `Linux 6.1.0 x64`. */
  readonly system: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Of a task that asks for GPUs: those of the machine that flow could see. */
  readonly gpus?: readonly GpuFacts[] | undefined;
}

export interface GpuFacts {
  readonly model: string;
  readonly uuid: string;
  readonly driver: string;
  readonly memoryBytes: number;
}

/** The facts of an attempt's end, as its exit file and its backend tell them. */
export interface Exit {
  /** Exit code of the failing action, else 0; absent when no exit was recorded. */
  readonly code: number | undefined;
  /** Name of the signal that killed it (`SIGKILL`); absent when it exited. */
  readonly signal: string | undefined;
  /** Index of the action that ended the attempt; absent when unknown or all ran. */
  readonly action: number | undefined;
  /** The stop that had been asked of it before it ended; absent when none. */
  readonly stopped: StopReason | undefined;
  readonly cause: ExternalCause | undefined;
  /** Unix milliseconds, for display only. */
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly durationMs: number | undefined;
  readonly node: string | undefined;
  readonly usage: Usage | undefined;
  /** True when processes of the attempt were left behind after it succeeded. */
  readonly leaky: boolean;
  /** How often the system restarted the attempt by itself before this end; absent: never. */
  readonly restarts?: number;
  /** The node, where the backend knows it. */
  readonly machine?: MachineFacts | undefined;
  /** A sentence from the backend when it has more to say. */
  readonly detail: string | undefined;
}

/** An exit of which only this is known. */
export const exitWith = (known: Partial<Exit>): Exit => ({
  code: undefined,
  signal: undefined,
  action: undefined,
  stopped: undefined,
  cause: undefined,
  startedAt: undefined,
  endedAt: undefined,
  durationMs: undefined,
  node: undefined,
  usage: undefined,
  leaky: false,
  detail: undefined,
  ...known,
});

export type FailureKind =
  | "exit"
  | "signal"
  | "timeout"
  | "target-missing"
  | "target-bad"
  | "no-progress"
  | "too-many-requeues"
  | "hung"
  | "input-missing"
  | "requirement-not-met"
  | "rejected"
  | "internal";

/** What an attempt's end means. Each member carries exactly what is known in that case. */
export type Outcome =
  | { readonly type: "success" }
  | {
      readonly type: "failed";
      readonly kind: FailureKind;
      readonly code: number | undefined;
      readonly signal: string | undefined;
      /** One sentence: what happened, to what, what to do. */
      readonly message: string;
    }
  | { readonly type: "oom"; readonly device: "memory" | "gpu"; readonly message: string }
  | { readonly type: "requeue"; readonly code: number | undefined; readonly message: string }
  | {
      /** Taken away from outside; runs again without using up a retry when `resumable`. */
      readonly type: "interrupted";
      readonly cause: "preempted" | "node-failed" | "time-limit" | "lost" | "not-begun" | "stopped";
      readonly resumable: boolean;
      readonly message: string;
    }
  | { readonly type: "cancelled"; readonly message: string }
  | { readonly type: "pruned"; readonly message: string };

/** A cause that `retries.for` can name: `oom`, `timeout`, `exit:7`. */
export type RetryCause = string;

/**
 * The retry causes an outcome answers to, most telling first. A plain failure with code 7 answers
 * to `exit:7`; what has no cause of its own answers to none and is retried only without `for`.
 */
export function retryCauses(outcome: Outcome): readonly RetryCause[] {
  switch (outcome.type) {
    case "oom":
      return [outcome.device === "gpu" ? "gpu_oom" : "oom"];
    case "interrupted":
      return outcome.cause === "preempted"
        ? ["preempted"]
        : outcome.cause === "time-limit"
          ? ["timeout"]
          : ["lost"];
    case "failed":
      if (outcome.kind === "timeout" || outcome.kind === "hung") return ["timeout"];
      return outcome.code === undefined ? [] : [`exit:${outcome.code}`];
    default:
      return [];
  }
}
