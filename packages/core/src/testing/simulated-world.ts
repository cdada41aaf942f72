// Where simulated attempts run: it survives the death of the flow that started them, and it is the
// witness of what really ran.

import type { Stop } from "../machine/state.ts";
import type { Outcome } from "../model/outcome.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** How an attempt ends when nobody interferes. */
export type Fate =
  | "success"
  | "exit"
  | "timeout"
  | "out-of-memory"
  | "requeue"
  | "requeue-with-progress"
  | "preempted"
  | "preempted-without-checkpoint"
  | "lost"
  | "pruned";

/** What the program makes of a request to stop. */
export type Manners = "obeys" | "requeues" | "finishes" | "fails" | "ignores";

export interface WorldAttempt {
  readonly key: string;
  readonly task: number;
  readonly fate: Fate;
  readonly manners: Manners;
  state: "queued" | "running" | "ended" | "fenced";
  outcome: Outcome | undefined;
  readonly progressed: boolean;
}

/** What a submit may be answered, by what is drawn. `ambiguous`: accepted, but told `unavailable`. */
export const SUBMIT_ANSWERS: Readonly<
  Record<number, "rejected" | "misconfigured" | "unavailable" | "ambiguous">
> = {
  19: "unavailable",
  18: "ambiguous",
  17: "unavailable",
  16: "ambiguous",
  15: "rejected",
  14: "misconfigured",
};

const exit = (kind: "exit" | "timeout", code: number | undefined): Outcome => ({
  type: "failed",
  kind,
  code,
  signal: undefined,
  message: kind,
});

const interrupted = (cause: "preempted" | "lost" | "stopped", resumable: boolean): Outcome => ({
  type: "interrupted",
  cause,
  resumable,
  message: cause,
});

const OUTCOMES: Readonly<Record<Fate, Outcome>> = {
  success: { type: "success" },
  exit: exit("exit", 1),
  timeout: exit("timeout", undefined),
  "out-of-memory": { type: "oom", device: "memory", message: "out of memory" },
  requeue: { type: "requeue", code: 75, message: "exit 75" },
  "requeue-with-progress": { type: "requeue", code: 75, message: "exit 75" },
  preempted: interrupted("preempted", true),
  "preempted-without-checkpoint": interrupted("preempted", false),
  lost: interrupted("lost", true),
  pruned: { type: "pruned", message: "pruned" },
};

const CANCELLED: Outcome = { type: "cancelled", message: "stopped" };

/** Milliseconds between a stop request and what the program makes of it. */
const REACTION_MS = 3;

export class SimulatedWorld {
  readonly attempts: Map<string, WorldAttempt> = new Map();
  readonly #clock: VirtualClock;
  readonly #runs: (task: number, nth: number) => { fate: Fate; manners: Manners; ms: number };
  readonly #perTask = new Map<number, number>();
  readonly #live = new Map<number, string>();
  /** A sentence when two attempts of one task ran at once. */
  violation: string | undefined;

  constructor(
    clock: VirtualClock,
    runs: (task: number, nth: number) => { fate: Fate; manners: Manners; ms: number },
  ) {
    this.#clock = clock;
    this.#runs = runs;
  }

  /** Takes an attempt, once per key, unless it is fenced. */
  accept(key: string, task: number): void {
    if (this.attempts.has(key)) return;
    const nth = this.#perTask.get(task) ?? 0;
    this.#perTask.set(task, nth + 1);
    const { fate, manners, ms } = this.#runs(task, nth);
    const progressed = fate === "requeue-with-progress" || fate === "success";
    const attempt: WorldAttempt = {
      key,
      task,
      fate,
      manners,
      state: "queued",
      outcome: undefined,
      progressed,
    };
    this.attempts.set(key, attempt);
    this.#clock.after(ms % 3, () => this.#begin(attempt, ms));
  }

  /** Makes sure that a key that was not accepted never will be; false when it was. */
  fence(key: string, task: number): boolean {
    if (this.attempts.has(key)) return this.attempts.get(key)?.state === "fenced";
    this.attempts.set(key, {
      key,
      task,
      fate: "lost",
      manners: "obeys",
      state: "fenced",
      outcome: CANCELLED,
      progressed: false,
    });
    return true;
  }

  stop(key: string, { how, reason }: Stop): void {
    const attempt = this.attempts.get(key);
    if (attempt === undefined || attempt.state === "ended" || attempt.state === "fenced") return;
    const stopped = reason === "user" ? CANCELLED : interrupted("stopped", true);
    if (how === "forced") this.#clock.after(1, () => this.#end(attempt, stopped));
    else if (attempt.state === "queued") this.#end(attempt, stopped);
    else if (attempt.manners !== "ignores") {
      const outcome = this.#answer(attempt) ?? stopped;
      this.#clock.after(REACTION_MS, () => this.#end(attempt, outcome));
    }
  }

  /** A live attempt of the task, if there is one. */
  liveOf(task: number): string | undefined {
    return this.#live.get(task);
  }

  #answer(attempt: WorldAttempt): Outcome | undefined {
    if (attempt.manners === "finishes") return OUTCOMES.success;
    if (attempt.manners === "requeues") return OUTCOMES.requeue;
    return attempt.manners === "fails" ? OUTCOMES.exit : undefined;
  }

  #begin(attempt: WorldAttempt, ms: number): void {
    if (attempt.state !== "queued") return;
    const other = this.#live.get(attempt.task);
    if (other !== undefined) this.violation = `${other} and ${attempt.key} run at once`;
    this.#live.set(attempt.task, attempt.key);
    attempt.state = "running";
    this.#clock.after(ms, () => this.#end(attempt, OUTCOMES[attempt.fate]));
  }

  #end(attempt: WorldAttempt, outcome: Outcome): void {
    if (attempt.state === "ended") return;
    attempt.state = "ended";
    attempt.outcome = outcome;
    if (this.#live.get(attempt.task) === attempt.key) this.#live.delete(attempt.task);
  }
}
