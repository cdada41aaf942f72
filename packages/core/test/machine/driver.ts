// Drives a machine by hand: every step answers with the effects it had.

import type { Effect, FinalState } from "../../src/machine/effect.ts";
import type { MachineEvent, RunOptions } from "../../src/machine/event.ts";
import { Machine } from "../../src/machine/machine.ts";
import type { MachineBackend } from "../../src/machine/plan.ts";
import type { FailureKind, Outcome, StopReason } from "../../src/model/outcome.ts";
import type { Limits } from "../../src/model/resources.ts";
import type { Posted } from "../../src/testing/life.ts";
import { planOf, type TaskSpec } from "../../src/testing/plan-of.ts";

export const SUCCESS: Outcome = { type: "success" };

export const failed = (kind: FailureKind = "exit", code: number | undefined = 1): Outcome => ({
  type: "failed",
  kind,
  code,
  signal: undefined,
  message: `failed: ${kind}`,
});

export const REQUEUE: Outcome = { type: "requeue", code: 75, message: "exit 75" };

export const CANCELLED: Outcome = { type: "cancelled", message: "stopped" };

export const interrupted = (
  cause: Extract<Outcome, { readonly type: "interrupted" }>["cause"],
  resumable = true,
): Outcome => ({ type: "interrupted", cause, resumable, message: cause });

export const OOM: Outcome = { type: "oom", device: "memory", message: "out of memory" };

const NO_LIMITS: Limits = {
  slots: undefined,
  cpusMilli: undefined,
  memoryBytes: undefined,
  pools: {},
};

export interface DriverOptions {
  readonly limits?: Partial<Limits>;
  readonly backends?: readonly MachineBackend[];
  readonly options?: Partial<RunOptions>;
  /** What checks say; without it the test answers them. @default "stale" */
  readonly checks?: "stale" | "by hand";
  /** Set to open the run by hand. */
  readonly closed?: boolean;
}

export class Driver {
  readonly machine: Machine;
  now = 0;
  /** All effects so far. */
  readonly effects: Effect[] = [];
  readonly #specs: DriverOptions;
  readonly #serials = new Map<number, number>();

  constructor(tasks: readonly TaskSpec[], specs: DriverOptions = {}) {
    this.machine = new Machine(planOf(tasks, specs.backends));
    this.#specs = specs;
    if (specs.closed !== true) this.open();
  }

  open(): readonly Effect[] {
    return this.send({
      type: "run/opened",
      limits: { ...NO_LIMITS, ...this.#specs.limits },
      options: { keepGoing: false, failFast: false, ...this.#specs.options },
    });
  }

  /** Sends an event; checks are answered at once unless that is left to the test. */
  send(event: Posted): readonly Effect[] {
    const effects = [...this.machine.step({ ...event, now: this.now } as MachineEvent)];
    this.effects.push(...effects);
    if (this.#specs.checks === "by hand") return effects;
    for (const effect of [...effects]) {
      if (effect.type !== "check") continue;
      effects.push(...this.send({ type: "task/checked", task: effect.task, verdict: "stale" }));
    }
    return effects;
  }

  check(task: number, verdict: "fresh" | "stale" | "skip"): readonly Effect[] {
    return this.send({ type: "task/checked", task, verdict });
  }

  serial(task: number): number {
    return this.#serials.get(task) ?? 0;
  }

  claim(task: number): readonly Effect[] {
    const serial = this.serial(task) + 1;
    this.#serials.set(task, serial);
    return this.send({ type: "attempt/claimed", task, serial });
  }

  /** Claims, submits and starts. */
  run(...tasks: readonly number[]): void {
    for (const task of tasks) {
      this.claim(task);
      this.send({ type: "attempt/submitted", task, serial: this.serial(task) });
      this.send({ type: "attempt/started", task, serial: this.serial(task) });
    }
  }

  end(task: number, outcome: Outcome = SUCCESS, progressed = false): readonly Effect[] {
    const serial = this.serial(task);
    return this.send({ type: "attempt/ended", task, serial, outcome, progressed });
  }

  adopt(task: number, serial: number, guards: { requeues?: number; idle?: number } = {}): void {
    this.#serials.set(task, serial);
    const { requeues = 0, idle = 0 } = guards;
    this.send({ type: "attempt/adopted", task, serial, requeues, idle });
  }

  refuse(
    task: number,
    failure: "rejected" | "unavailable" | "misconfigured",
    retryAfterMs?: number,
  ): readonly Effect[] {
    const serial = this.serial(task);
    const message = `refused: ${failure}`;
    return this.send({ type: "attempt/refused", task, serial, failure, retryAfterMs, message });
  }

  unknown(task: number, why = "unreachable"): readonly Effect[] {
    return this.send({ type: "attempt/unknown", task, serial: this.serial(task), why });
  }

  stop(
    tasks: readonly number[] | undefined,
    how: "graceful" | "forced" = "graceful",
    reason: StopReason = "user",
  ): readonly Effect[] {
    return this.send({ type: "stop/requested", tasks, how, reason });
  }

  /** Lets time pass and sends the tick. */
  wait(ms: number): readonly Effect[] {
    this.now += ms;
    return this.send({ type: "tick" });
  }

  at(task: number): string {
    return this.machine.view(task).at;
  }

  states(): readonly string[] {
    return Array.from({ length: this.machine.counts().total }, (_, task) => this.at(task));
  }
}

/** Tasks of the `start` effects, in order. */
export const starts = (effects: readonly Effect[]): readonly number[] =>
  effects.flatMap((effect) => (effect.type === "start" ? [effect.task] : []));

export const ofType = <T extends Effect["type"]>(
  effects: readonly Effect[],
  type: T,
): readonly Extract<Effect, { type: T }>[] =>
  effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);

/** Final states reached, by task. */
export const settled = (effects: readonly Effect[]): Readonly<Record<number, FinalState>> =>
  Object.fromEntries(ofType(effects, "settled").map(({ task, state }) => [task, state]));
