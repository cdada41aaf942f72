// What must hold of any scheduler, checked from outside at every step: it believes nothing the
// machine says about itself but the effects it asks for.

import type { Effect, FinalState } from "../machine/effect.ts";
import type { MachineEvent, RunOptions } from "../machine/event.ts";
import type { MachinePlan } from "../machine/plan.ts";
import type { Limits } from "../model/resources.ts";

export class Violation extends Error {
  override readonly name = "Violation";
}

interface Demand {
  readonly slots: number;
  readonly cpusMilli: number | undefined;
  readonly memoryBytes: number;
  readonly pools: Readonly<Record<string, number>>;
  readonly exclusive: boolean;
}

const UNBOUNDED: Limits = {
  slots: undefined,
  cpusMilli: undefined,
  memoryBytes: undefined,
  pools: {},
};

/** Watches one run of a machine: its events and its effects. */
export class Safety {
  readonly finals: Map<number, FinalState> = new Map();
  readonly #plan: MachinePlan;
  readonly #deps: readonly (readonly number[])[];
  readonly #live = new Map<number, Demand>();
  readonly #serials = new Map<number, number>();
  readonly #stopSent = new Set<number>();
  /** Tasks whose backend refused as one that refuses everything. */
  readonly #closers = new Set<number>();
  /** Tasks that somebody wanted stopped for good. */
  readonly #unwanted = new Set<number>();
  readonly #retries = new Map<number, number>();
  #limits: Limits = UNBOUNDED;
  #foreign: Limits = UNBOUNDED;
  #options: RunOptions = { keepGoing: false, failFast: false };
  #opened = false;
  #halted = false;
  #stopping = false;
  finished = false;

  constructor(plan: MachinePlan) {
    this.#plan = plan;
    const deps: number[][] = Array.from({ length: plan.size }, () => []);
    for (let task = 0; task < plan.size; task += 1) {
      const end = plan.dependentStart[task + 1] ?? 0;
      for (let at = plan.dependentStart[task] ?? 0; at < end; at += 1) {
        deps[plan.dependents[at] ?? 0]?.push(task);
      }
    }
    this.#deps = deps;
  }

  get live(): number {
    return this.#live.size;
  }

  before(event: MachineEvent): void {
    switch (event.type) {
      case "run/opened":
        this.#opened = true;
        this.#limits = event.limits;
        this.#options = event.options;
        break;
      case "limits/changed":
        this.#limits = event.limits;
        break;
      case "foreign/changed":
        this.#foreign = { slots: 0, ...event };
        break;
      case "drain/requested":
        this.#halted = true;
        break;
      case "stop/requested":
        this.#stopRequested(event);
        break;
      case "task/held":
        this.#live.delete(event.task);
        break;
      case "attempt/claimed":
        this.#serials.set(event.task, event.serial);
        break;
      case "attempt/adopted":
        if (this.finals.has(event.task)) break;
        if (!this.#live.has(event.task)) this.#live.set(event.task, this.#demand(event.task));
        this.#serials.set(event.task, event.serial);
        break;
      case "attempt/ended":
      case "attempt/voided":
        if (this.#serials.get(event.task) === event.serial) this.#end(event.task);
        break;
      case "attempt/refused":
        if (this.#serials.get(event.task) === event.serial && event.failure !== "unavailable") {
          this.#end(event.task);
          if (event.failure === "misconfigured") this.#closers.add(event.task);
        }
        break;
      default:
    }
  }

  #stopRequested(event: Extract<MachineEvent, { type: "stop/requested" }>): void {
    if (event.tasks === undefined) {
      this.#halted = true;
      this.#stopping = true;
    }
    if (event.reason !== "user" && event.reason !== "pruned") return;
    for (const task of event.tasks ?? []) this.#unwanted.add(task);
  }

  after(effects: readonly Effect[], event: MachineEvent): void {
    if (this.finished && effects.length > 0) throw new Violation("effects after `finished`");
    for (const effect of effects) this.#see(effect);
    if (this.#stopping) this.#checkAllStopped(event);
  }

  #end(task: number): void {
    this.#live.delete(task);
    this.#serials.delete(task);
    this.#stopSent.delete(task);
  }

  #see(effect: Effect): void {
    if (effect.type === "finished") {
      this.finished = true;
      if (this.finals.size !== this.#plan.size) throw new Violation("finished with tasks left");
      if (this.#live.size > 0) throw new Violation("finished with live attempts");
      return;
    }
    if (effect.type === "wake") return;
    const { task } = effect;
    if (this.finals.has(task)) throw new Violation(`${effect.type} of the final task ${task}`);
    if (effect.type === "settled") this.#settled(task, effect.state);
    else if (effect.type === "start") this.#started(effect);
    else if (effect.type === "check" || effect.type === "resubmit") {
      if (this.#halted)
        throw new Violation(`${effect.type} of ${task} after nothing new may start`);
      if (effect.type === "check") this.#checkDeps(task, "checked");
    } else if (effect.type === "stop") {
      if (effect.serial !== this.#serials.get(task)) throw new Violation(`stop of no attempt`);
      this.#stopSent.add(task);
    }
  }

  #settled(task: number, state: FinalState): void {
    this.finals.set(task, state);
    const good = state.at === "fresh" || state.at === "done" || state.at === "skipped";
    if (good && !this.#halted) this.#checkDeps(task, state.at);
    if (this.#live.has(task)) throw new Violation(`${task} is ${state.at} with a live attempt`);
    if (state.at === "blocked") this.#checkBlocked(task, state.by);
    if (state.at !== "failed" || this.#plan.tasks[task]?.allowFailure === true) return;
    if (!this.#options.keepGoing || this.#options.failFast) this.#halted = true;
  }

  #checkBlocked(task: number, by: number): void {
    const final = this.finals.get(by)?.at;
    const ends = final === "failed" || final === "cancelled" || final === "pruned";
    if (!ends) throw new Violation(`${task} is blocked by ${by}, which is ${final}`);
    const backend = this.#closers.has(by) ? this.#plan.tasks[by]?.backend : undefined;
    if (!this.#isInTheWay(by, backend, task)) throw new Violation(`${by} is not before ${task}`);
  }

  /** `by` is upstream of the task, or the task or one upstream of it needs the backend. */
  #isInTheWay(by: number, backend: number | undefined, task: number): boolean {
    if (this.#plan.tasks[task]?.backend === backend) return true;
    const deps = this.#deps[task] ?? [];
    return deps.some((dep) => dep === by || this.#isInTheWay(by, backend, dep));
  }

  #started(effect: Extract<Effect, { type: "start" }>): void {
    const { task, retry, requeue, resources } = effect;
    if (!this.#opened) throw new Violation(`start of ${task} before the run is open`);
    if (this.#halted) throw new Violation(`start of ${task} after nothing new may start`);
    if (this.#live.has(task)) throw new Violation(`start of ${task}, which may be alive`);
    if (this.#unwanted.has(task)) throw new Violation(`start of ${task}, which was to stop`);
    this.#checkDeps(task, "started");
    const policy = this.#plan.tasks[task];
    if (retry > (policy?.retries.max ?? 0)) throw new Violation(`${task}: ${retry} retries`);
    if (retry < (this.#retries.get(task) ?? 0)) throw new Violation(`${task}: retries went down`);
    this.#retries.set(task, retry);
    if (requeue > (policy?.requeue.max ?? Number.POSITIVE_INFINITY)) {
      throw new Violation(`${task}: ${requeue} requeues`);
    }
    const demand = this.#demand(task, resources);
    const alone = [...this.#live.values()].some(({ exclusive }) => exclusive);
    if (alone || (demand.exclusive && this.#live.size > 0)) {
      throw new Violation(`${task} runs beside a task that runs alone`);
    }
    this.#live.set(task, demand);
    this.#checkLimits(task);
  }

  #checkDeps(task: number, what: string): void {
    for (const dep of this.#deps[task] ?? []) {
      const final = this.finals.get(dep)?.at;
      const allowed = final === "failed" && this.#plan.tasks[dep]?.allowFailure === true;
      if (final !== "fresh" && final !== "done" && final !== "skipped" && !allowed) {
        throw new Violation(`${task} is ${what} while ${dep} is ${final ?? "not final"}`);
      }
    }
  }

  #demand(task: number, resources = this.#plan.tasks[task]?.resources): Demand {
    const spec = this.#plan.tasks[task];
    const local = this.#plan.backends[spec?.backend ?? 0]?.local === true;
    return {
      slots: local ? 1 : 0,
      cpusMilli: local ? resources?.cpusMilli : 0,
      memoryBytes: local ? (resources?.memoryBytes ?? 0) : 0,
      pools: spec?.pools ?? {},
      exclusive: spec?.exclusive === true,
    };
  }

  /** Of every resource the starting task uses: what all of them use is no more than there is. */
  #checkLimits(task: number): void {
    const { slots, cpusMilli, memoryBytes, pools } = this.#limits;
    const started = this.#live.get(task) as Demand;
    const undeclared = slots === undefined ? 1_000 : 0;
    const cpusOf = (demand: Demand): number =>
      Math.min(demand.cpusMilli ?? undeclared, cpusMilli ?? Number.POSITIVE_INFINITY);
    const check = (
      name: string,
      amount: (of: Demand) => number,
      foreign = 0,
      limit?: number,
    ): void => {
      if (limit === undefined || amount(started) === 0) return;
      let sum = foreign;
      for (const demand of this.#live.values()) sum += amount(demand);
      if (sum > limit) throw new Violation(`start of ${task}: ${sum} of ${limit} ${name} in use`);
    };
    check("slots", (demand) => demand.slots, 0, slots);
    check("cpus", cpusOf, this.#foreign.cpusMilli, cpusMilli);
    check("memory", (demand) => demand.memoryBytes, this.#foreign.memoryBytes, memoryBytes);
    for (const [name, limit] of Object.entries(pools)) {
      check(name, (demand) => demand.pools[name] ?? 0, this.#foreign.pools[name], limit);
    }
  }

  #checkAllStopped(event: MachineEvent): void {
    for (const task of this.#live.keys()) {
      if (this.#serials.has(task) && !this.#stopSent.has(task)) {
        throw new Violation(`${task} was not asked to stop (after ${event.type})`);
      }
    }
  }
}
