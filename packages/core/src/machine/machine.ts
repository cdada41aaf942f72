// The scheduler as a pure function of the events it is told: the same events give the same effects.
// It owns what is ready, who holds what, what is tried again, and why something is not running. It
// has no clock, does no I/O and draws no random numbers; `event.now` is the only time.

import { takeTaskEvent } from "./attempt.ts";
import type { Effect } from "./effect.ts";
import type { MachineEvent } from "./event.ts";
import { type Explanation, explain } from "./explain.ts";
import { halt, place, propagate, stopLive, stopTask, sweep, tick, unblock, wake } from "./flow.ts";
import type { MachinePlan } from "./plan.ts";
import { State } from "./state.ts";
import { AT, type StateName, TABLE, type TaskEvent } from "./states.ts";
import { type TaskView, viewOf } from "./view.ts";

const NOTHING: readonly Effect[] = [];

/** How many tasks are in each state. */
export interface MachineCounts extends Readonly<Record<StateName, number>> {
  readonly total: number;
  /** Failed tasks with `allow_failure`; also counted in `failed`. */
  readonly allowedFailures: number;
  /** Tasks with an attempt that may exist. */
  readonly live: number;
  /** Events that came too late to mean anything. */
  readonly ignored: number;
}

export class Machine {
  readonly #state: State;

  constructor(plan: MachinePlan) {
    this.#state = new State(plan);
  }

  /** Every task is final and `finished` has been said; further events do nothing. */
  get isFinished(): boolean {
    return this.#state.finished;
  }

  /** Nothing new starts any more: after a failure, a stop or a drain. */
  get isHalted(): boolean {
    return this.#state.halted;
  }

  /** Nothing moves but attempts whose state cannot be found out. */
  get onlyUnknownLeft(): boolean {
    const { counts, live, halted } = this.#state;
    if (live === 0 || live !== counts[AT.unknown]) return false;
    const moving = [AT.checking, AT.backoff, AT.held].some((code) => counts[code] !== 0);
    return halted || !moving;
  }

  /** Takes a fact and returns what to do about it, in order. Throws only when the engine is wrong. */
  step(event: MachineEvent): readonly Effect[] {
    const state = this.#state;
    if (state.finished) {
      state.ignored += 1;
      return NOTHING;
    }
    state.now = event.now;
    this.#take(event);
    if (state.opened) {
      propagate(state);
      place(state);
      if (state.halted && state.live === 0) sweep(state);
      wake(state);
      if (state.unfinished === 0) {
        state.finished = true;
        state.emit({ type: "finished" });
      }
    }
    if (state.effects.length === 0) return NOTHING;
    const { effects } = state;
    state.effects = [];
    return effects;
  }

  /** Where a task is, with what is known there. */
  view(task: number): TaskView {
    return viewOf(this.#state, task);
  }

  /** Why a task is not running. */
  explain(task: number): Explanation {
    return explain(this.#state, task);
  }

  /** Tasks that could run now if there were room, in plan order; so many at most. */
  ready(most: number): readonly number[] {
    const { at, counts } = this.#state;
    const found: number[] = [];
    const enough = Math.min(most, counts[AT.ready] as number);
    for (let task = 0; task < at.length && found.length < enough; task += 1) {
      if (at[task] === AT.ready) found.push(task);
    }
    return found;
  }

  counts(): MachineCounts {
    const { counts, plan, live, ignored, allowedFailures } = this.#state;
    const named = Object.fromEntries(
      Object.entries(AT).map(([name, code]) => [name, counts[code] as number]),
    ) as Record<StateName, number>;
    return { ...named, total: plan.size, allowedFailures, live, ignored };
  }

  #take(event: MachineEvent): void {
    const state = this.#state;
    switch (event.type) {
      case "run/opened":
        this.#open(event);
        return;
      case "limits/changed":
        state.ledger.setLimits(event.limits);
        state.queue.released();
        return;
      case "foreign/changed":
        state.ledger.setForeign(event.cpusMilli, event.memoryBytes, event.pools);
        state.queue.released();
        return;
      case "stop/requested":
        this.#stop(event);
        return;
      case "drain/requested":
        halt(state);
        return;
      case "tick":
        tick(state);
        return;
      default:
        if (this.#isMeant(event)) takeTaskEvent(state, event);
    }
  }

  #open(event: Extract<MachineEvent, { type: "run/opened" }>): void {
    const state = this.#state;
    if (state.opened) throw new Error("the machine was told `run/opened` twice");
    state.opened = true;
    state.options = event.options;
    state.ledger.setLimits(event.limits);
    for (let task = 0; task < state.plan.size; task += 1) {
      if (state.remaining[task] === 0 && state.code(task) === AT.waiting) unblock(state, task);
    }
  }

  #stop(event: Extract<MachineEvent, { type: "stop/requested" }>): void {
    const state = this.#state;
    const { how, reason } = event;
    if (event.tasks === undefined) {
      state.stopAll = { how, reason };
      halt(state);
      stopLive(state, { how, reason });
      return;
    }
    for (const task of event.tasks) {
      this.#expectTask(task, event.type);
      stopTask(state, task, { how, reason });
    }
  }

  /** False when the event is to be ignored, because it is late or about another attempt. */
  #isMeant(event: TaskEvent): boolean {
    const state = this.#state;
    const { task, type } = event;
    this.#expectTask(task, type);
    const name = state.state(task);
    const cell = TABLE[name][type];
    if (cell === "bug") {
      throw new Error(`the machine was told \`${type}\` about task ${task}, which is ${name}`);
    }
    const assigns = type === "attempt/claimed" || type === "attempt/adopted";
    const other = "serial" in event && !assigns && event.serial !== state.serial[task];
    if (cell !== "ignore" && !other) return true;
    state.ignored += 1;
    return false;
  }

  #expectTask(task: number, type: string): void {
    if (task in this.#state.at) return;
    throw new Error(`the machine was told \`${type}\` about no task of its plan: ${task}`);
  }
}
