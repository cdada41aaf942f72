// What the machine knows: one dense row per task, the ledger, the queue of ready tasks, timers. Only
// the functions that `step` calls write here; everything else reads.

import type { Outcome, RestartReason, StopReason } from "../model/outcome.ts";
import type { ResourceRequest } from "../model/resources.ts";
import type { Effect, FinalState } from "./effect.ts";
import type { RunOptions } from "./event.ts";
import { Heap } from "./heap.ts";
import { Ledger, type Shape, shapesOf } from "./ledger.ts";
import type { MachinePlan, MachineTask } from "./plan.ts";
import { ReadyQueue } from "./ready-queue.ts";
import type { Spent } from "./retry.ts";
import { AT, isFinal, isLive, STATES, type StateName } from "./states.ts";

const NO_NOTES: Readonly<Notes> = {};

const UNSPENT: Spent = { retries: 0, requeues: 0, idle: 0, unbegun: 0 };

/** A stop that has been asked of a task's attempt. */
export interface Stop {
  readonly how: "graceful" | "forced";
  readonly reason: StopReason;
}

/** The rare facts about a task; most tasks never have any. */
export interface Notes {
  stop?: Stop | undefined;
  spent?: Spent;
  /** Why the next attempt is made; absent: it is the first. */
  reason?: RestartReason | undefined;
  /** How the last attempt ended. */
  outcome?: Outcome | undefined;
  /** With escalation applied. */
  resources?: ResourceRequest;
  /** When the wait ends, in the time of events. */
  until?: number;
  /** Submits refused in a row because the backend was not available. */
  refusals?: number;
  /** What the backend last said about it. */
  detail?: string | undefined;
  /** The task that is in its way: it ended badly upstream. */
  culprit?: number;
  /** It needs the result of a task that was pruned. */
  leftOut?: boolean;
  /** Its attempt is of an earlier run, so its end has to be checked against today's plan. */
  adopted?: boolean;
  /** The adopted attempt succeeded. */
  succeeded?: boolean;
}

export class State {
  readonly plan: MachinePlan;
  readonly ledger: Ledger = new Ledger();
  readonly queue: ReadyQueue;
  readonly shapes: Shape[];
  readonly timers: Heap = new Heap();
  /** State code per task (see states.ts). */
  readonly at: Uint8Array;
  /** Dependencies that are not yet final and good. */
  readonly remaining: Int32Array;
  /** Serial of the live attempt; 0: none. */
  readonly serial: Int32Array;
  /** Tasks per state code. */
  readonly counts: Int32Array = new Int32Array(STATES.length);
  /** Tasks with a live attempt. */
  live = 0;
  /** Tasks that are not final. */
  unfinished: number;
  /** Final tasks whose dependents have not been told. */
  readonly settled: number[] = [];
  /** Backends that refuse everything, with the task that found out. */
  readonly closed: Map<number, number> = new Map();
  readonly #notes = new Map<number, Notes>();
  options: RunOptions = { keepGoing: false, failFast: false };
  now = 0;
  opened = false;
  finished = false;
  /** The time of the last `wake`; undefined when its `tick` has come. */
  wakeAt: number | undefined;
  /** Nothing new starts. */
  halted = false;
  /** Somebody wants all of it stopped. */
  stopAll: Stop | undefined;
  /** Failed tasks that are allowed to. */
  allowedFailures = 0;
  /** Events that came too late to mean anything. */
  ignored = 0;
  effects: Effect[] = [];

  constructor(plan: MachinePlan) {
    this.plan = plan;
    this.unfinished = plan.size;
    this.at = new Uint8Array(plan.size);
    this.remaining = Int32Array.from(plan.dependencyCount);
    this.serial = new Int32Array(plan.size);
    this.counts[AT.waiting] = plan.size;
    this.shapes = shapesOf(plan, this.ledger);
    this.queue = new ReadyQueue(
      this.ledger,
      ranks(plan),
      this.shapes,
      (task) => this.at[task] === AT.ready,
    );
  }

  task(index: number): MachineTask {
    return this.plan.tasks[index] as MachineTask;
  }

  code(index: number): number {
    return this.at[index] as number;
  }

  state(index: number): StateName {
    return STATES[this.code(index)] as StateName;
  }

  /** Notes to read; shared and empty for most tasks. */
  notes(index: number): Readonly<Notes> {
    return this.#notes.get(index) ?? NO_NOTES;
  }

  /** Notes to write. */
  note(index: number): Notes {
    let notes = this.#notes.get(index);
    if (notes === undefined) {
      notes = {};
      this.#notes.set(index, notes);
    }
    return notes;
  }

  spent(index: number): Spent {
    return this.notes(index).spent ?? UNSPENT;
  }

  request(index: number): ResourceRequest {
    return this.notes(index).resources ?? this.task(index).resources;
  }

  isLocal(index: number): boolean {
    return this.plan.backends[this.task(index).backend]?.local === true;
  }

  /** Calls `visit` for each distinct task that waits for this one. */
  eachDependent(index: number, visit: (dependent: number) => void): void {
    const { dependents, dependentStart } = this.plan;
    const end = dependentStart[index + 1] as number;
    for (let at = dependentStart[index] as number; at < end; at += 1) {
      visit(dependents[at] as number);
    }
  }

  /** Writes a task's state. Resources follow: what is live holds, what is not does not. */
  move(index: number, to: StateName): void {
    const from = this.code(index);
    const code = AT[to];
    if (from === code) return;
    this.at[index] = code;
    this.counts[from] = (this.counts[from] as number) - 1;
    this.counts[code] = (this.counts[code] as number) + 1;
    if (isFinal(code)) this.unfinished -= 1;
    if (isLive(code) && !isLive(from)) {
      this.live += 1;
      this.ledger.take(index, this.shapes[index] as Shape);
    }
    if (isLive(from) && !isLive(code)) {
      this.live -= 1;
      this.serial[index] = 0;
      this.ledger.give(index);
      this.queue.released();
    }
  }

  emit(effect: Effect): void {
    this.effects.push(effect);
  }

  /** Makes a task final and puts it in line for telling its dependents. */
  settle(index: number, final: FinalState): void {
    if (final.at === "failed" || final.at === "cancelled") this.note(index).outcome = final.outcome;
    if (final.at === "blocked") this.note(index).culprit = final.by;
    if (final.at === "failed" && this.task(index).allowFailure) this.allowedFailures += 1;
    this.move(index, final.at);
    this.emit({ type: "settled", task: index, state: final });
    this.settled.push(index);
  }

  setTimer(index: number, until: number): void {
    this.note(index).until = until;
    this.timers.push(until, index);
  }
}

/** Order of starting: priority, then the longest way to the end, then the order of the file. */
function ranks(plan: MachinePlan): Int32Array {
  const order = Array.from({ length: plan.size }, (_, index) => index);
  const priority = (index: number): number => (plan.tasks[index] as MachineTask).priority;
  const weight = (index: number): number => plan.weight[index] as number;
  order.sort((a, b) => priority(b) - priority(a) || weight(b) - weight(a) || a - b);
  const rank = new Int32Array(plan.size);
  for (const [position, index] of order.entries()) rank[index] = position;
  return rank;
}
