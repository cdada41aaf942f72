// A machine, a small engine around it and a world of attempts on virtual time, with faults: refused
// and ambiguous submits, late, doubled and missing observations, attempts that cannot be seen, other
// runs, and the death of flow at any record of its journal. A simulation is a function of its scenario.

import type { Effect, FinalState } from "../machine/effect.ts";
import type { MachineEvent } from "../machine/event.ts";
import type { Machine } from "../machine/machine.ts";
import type { MachinePlan } from "../machine/plan.ts";
import type { Stop } from "../machine/state.ts";
import { Life, type Posted } from "./life.ts";
import { planOf } from "./plan-of.ts";
import { Violation } from "./safety.ts";
import type { Intervention, Scenario, ScenarioTask } from "./scenario.ts";
import { Crash, SimulatedDisk } from "./simulated-disk.ts";
import { SimulatedWorld, SUBMIT_ANSWERS } from "./simulated-world.ts";
import { VirtualClock } from "./virtual-clock.ts";

export interface SimulationReport {
  /** Of the last life of flow, in plan order. */
  readonly finals: readonly FinalState[];
  readonly events: number;
  readonly lives: number;
  /** Changes of state seen, as `from>to`. */
  readonly edges: ReadonlySet<string>;
  /** Attempts that really ran, per task. */
  readonly ran: readonly number[];
}

/** Events after which a simulation counts as stuck. */
const EVENT_LIMIT = 20_000;

const POLL_MS = 4;

/**
 * Runs a scenario to its end and checks safety at every step, and that it comes to an end at all.
 * Throws a {@link Violation} with what was wrong.
 */
export function simulate(
  scenario: Scenario,
  create: (plan: MachinePlan) => Machine,
): SimulationReport {
  return new Simulation(scenario, create).run();
}

class Simulation {
  readonly #scenario: Scenario;
  readonly #create: (plan: MachinePlan) => Machine;
  readonly #plan: MachinePlan;
  readonly #clock = new VirtualClock();
  readonly #world: SimulatedWorld;
  readonly #disk: SimulatedDisk;
  readonly #edges = new Set<string>();
  #drawn = 0;
  #events = 0;
  #life: Life;
  #lives = 1;

  constructor(scenario: Scenario, create: (plan: MachinePlan) => Machine) {
    this.#scenario = scenario;
    this.#create = create;
    this.#plan = planOf(scenario.tasks, scenario.backends);
    this.#disk = new SimulatedDisk(scenario.crashes);
    this.#world = new SimulatedWorld(this.#clock, (task, nth) => {
      const { fates, manners, ms } = this.#task(task);
      return { fate: fates?.[nth] ?? "success", manners: manners ?? "obeys", ms: ms ?? 5 };
    });
    this.#life = this.#begin();
  }

  run(): SimulationReport {
    while (!this.#life.machine.isFinished) {
      try {
        this.#turn();
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        this.#life.dead = true;
        this.#lives += 1;
        this.#life = this.#begin();
      }
      if (this.#world.violation !== undefined) throw new Violation(this.#world.violation);
    }
    this.#life.checkReplay(this.#create(this.#plan));
    const finals = this.#scenario.tasks.map(
      (_, task) => this.#life.safety.finals.get(task) as FinalState,
    );
    const attempts = [...this.#world.attempts.values()].filter(({ state }) => state !== "fenced");
    const ran = this.#scenario.tasks.map(
      (_, task) => attempts.filter((each) => each.task === task).length,
    );
    return { finals, events: this.#events, lives: this.#lives, edges: this.#edges, ran };
  }

  #turn(): void {
    const event = this.#life.queue.shift();
    if (event === undefined) {
      if (!this.#clock.runNext()) throw new Violation("stuck: nothing will ever happen");
      return;
    }
    this.#events += 1;
    if (this.#events > EVENT_LIMIT) throw new Violation(`not finished after ${EVENT_LIMIT} events`);
    for (const each of this.#scenario.interventions ?? []) {
      if (each.atEvent === this.#events) this.#intervene(each);
    }
    this.#step({ ...event, now: this.#clock.now() } as MachineEvent);
  }

  #begin(): Life {
    const life = new Life(this.#create(this.#plan), this.#plan);
    this.#life = life;
    for (const [task, { serial, requeues, idle }] of this.#disk.claims) {
      const key = `${task}-${serial}`;
      if (this.#world.fence(key, task)) this.#disk.claims.delete(task);
      else {
        this.#post({ type: "attempt/adopted", task, serial, requeues, idle });
        this.#watch(task, serial);
      }
    }
    const { limits, options } = this.#scenario;
    this.#post({ type: "run/opened", limits, options });
    return life;
  }

  #step(event: MachineEvent): void {
    const { machine, safety } = this.#life;
    const before = this.#states();
    safety.before(event);
    const effects = machine.step(event);
    this.#life.history.push([event, effects]);
    safety.after(effects, event);
    for (const [task, state] of this.#states().entries()) {
      if (before[task] === state) continue;
      this.#edges.add(`${before[task]}>${state}`);
    }
    this.#checkNotIdle();
    for (const effect of effects) this.#perform(effect);
  }

  #states(): readonly string[] {
    return this.#scenario.tasks.map((_, task) => this.#life.machine.view(task).at);
  }

  /** Whatever is ready is short of something. */
  #checkNotIdle(): void {
    const { machine } = this.#life;
    for (const task of this.#scenario.tasks.keys()) {
      if (machine.view(task).at !== "ready") continue;
      const { why } = machine.explain(task);
      if (why === "turn") throw new Violation(`${task} is ready, fits, and is not started`);
    }
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "check":
        this.#later(() => this.#check(effect.task));
        break;
      case "start":
        this.#start(effect);
        break;
      case "resubmit":
        if (this.#draw(4) === 3) this.#search(effect.task, effect.serial);
        else this.#submit(effect.task, effect.serial);
        break;
      case "stop":
        this.#later(() => this.#stop(effect.task, effect.serial, effect));
        break;
      case "wake":
        this.#life.cancelWake?.();
        this.#life.cancelWake = this.#clock.after(
          effect.at - this.#clock.now(),
          this.#alive(() => this.#post({ type: "tick" })),
        );
        break;
      default:
    }
  }

  #check(task: number): void {
    const verdict = this.#disk.done.has(task) ? "fresh" : (this.#task(task).verdict ?? "stale");
    if (verdict !== "failed") this.#post({ type: "task/checked", task, verdict });
    else {
      const outcome = {
        type: "failed",
        kind: "input-missing",
        code: undefined,
        signal: undefined,
        message: "gone",
      } as const;
      this.#post({ type: "task/checked", task, verdict, outcome });
    }
  }

  #start(effect: Extract<Effect, { type: "start" }>): void {
    const { task, requeue } = effect;
    const other = this.#disk.elsewhere.has(task);
    if (this.#world.liveOf(task) !== undefined && !other) {
      throw new Violation(`start of ${task}, which is alive`);
    }
    if (other || this.#draw(12) === 11) {
      this.#heldElsewhere(task);
      return;
    }
    const serial = this.#disk.nextSerial(task);
    this.#disk.record(() => {
      this.#disk.serials.set(task, serial);
      this.#disk.claims.set(task, { serial, requeues: requeue, idle: 0 });
    });
    this.#post({ type: "attempt/claimed", task, serial });
    this.#submit(task, serial);
  }

  /** Instead of submitting again: the attempt is found, or it is made sure that it never starts. */
  #search(task: number, serial: number): void {
    if (this.#world.fence(`${task}-${serial}`, task)) {
      this.#disk.claims.delete(task);
      this.#post({ type: "attempt/voided", task, serial });
    } else {
      this.#post({ type: "attempt/submitted", task, serial });
      this.#watch(task, serial);
    }
  }

  /** Another run is at the task: it finishes it, or dies and leaves its attempt to us. */
  #heldElsewhere(task: number): void {
    const { elsewhere, serials } = this.#disk;
    let serial = elsewhere.get(task);
    if (serial === undefined) {
      serial = this.#disk.nextSerial(task);
      serials.set(task, serial);
      elsewhere.set(task, serial);
      this.#world.accept(`${task}-${serial}`, task);
    }
    if (this.#draw(3) === 2) this.#inherit(task, serial);
    else {
      this.#post({ type: "task/held", task });
      this.#waitFor(task, serial);
    }
  }

  #waitFor(task: number, serial: number): void {
    this.#clock.after(
      POLL_MS,
      this.#alive(() => {
        const outcome = this.#world.attempts.get(`${task}-${serial}`)?.outcome;
        if (outcome !== undefined) {
          if (outcome.type === "success") this.#disk.done.add(task);
          this.#disk.elsewhere.delete(task);
          this.#post({ type: "task/released", task });
        } else if (this.#draw(4) === 3) this.#inherit(task, serial);
        else this.#waitFor(task, serial);
      }),
    );
  }

  /** The run that made the attempt is dead. */
  #inherit(task: number, serial: number): void {
    this.#disk.elsewhere.delete(task);
    this.#disk.claims.set(task, { serial, requeues: 0, idle: 0 });
    this.#post({ type: "attempt/adopted", task, serial, requeues: 0, idle: 0 });
    this.#watch(task, serial);
  }

  #submit(task: number, serial: number): void {
    const key = `${task}-${serial}`;
    this.#life.submitting.add(key);
    this.#later(() => {
      const answer = SUBMIT_ANSWERS[this.#draw(20)] ?? "accepted";
      if (answer === "accepted" || answer === "ambiguous") {
        this.#world.accept(key, task);
        if (this.#draw(3) === 2) this.#watch(task, serial);
      }
      this.#later(() => {
        this.#life.submitting.delete(key);
        if (answer === "ambiguous" || answer === "unavailable") {
          this.#refuse(task, serial, "unavailable");
        } else if (answer === "accepted" || this.#world.attempts.has(key)) {
          // A refusal for good is only passed on when no earlier submit had an effect.
          this.#post({ type: "attempt/submitted", task, serial });
          this.#watch(task, serial);
        } else this.#refuse(task, serial, answer);
        if (answer !== "rejected" && answer !== "misconfigured") this.#stopPending(task, serial);
      });
    });
  }

  #refuse(
    task: number,
    serial: number,
    failure: "rejected" | "unavailable" | "misconfigured",
  ): void {
    if (failure !== "unavailable") this.#disk.claims.delete(task);
    const retryAfterMs = this.#draw(2) === 0 ? undefined : 3;
    this.#post({ type: "attempt/refused", task, serial, failure, retryAfterMs, message: failure });
  }

  #stopPending(task: number, serial: number): void {
    const stop = this.#life.stops.get(`${task}-${serial}`);
    if (stop !== undefined) this.#stop(task, serial, stop);
  }

  #stop(task: number, serial: number, stop: Stop): void {
    const key = `${task}-${serial}`;
    this.#life.stops.set(key, stop);
    if (this.#life.submitting.has(key) && !this.#world.attempts.has(key)) return;
    if (this.#draw(6) === 5) {
      this.#clock.after(
        POLL_MS,
        this.#alive(() => this.#stop(task, serial, stop)),
      );
      return;
    }
    if (!this.#world.fence(key, task)) this.#world.stop(key, stop);
    this.#watch(task, serial);
  }

  /** Looks at an attempt again and again until its end has been recorded and told. */
  #watch(task: number, serial: number): void {
    const key = `${task}-${serial}`;
    if (this.#life.watched.has(key)) return;
    this.#life.watched.add(key);
    const look = this.#alive((): void => {
      const attempt = this.#world.attempts.get(key);
      const fault = this.#draw(8);
      if (fault === 7) this.#post({ type: "attempt/unknown", task, serial, why: "unreachable" });
      else if (fault !== 6 && attempt !== undefined) {
        if (attempt.outcome !== undefined) {
          this.#ended(task, serial);
          return;
        }
        if (attempt.state === "running") this.#post({ type: "attempt/started", task, serial });
        else this.#post({ type: "attempt/queued", task, serial, why: undefined });
      }
      this.#clock.after(POLL_MS, look);
    });
    this.#clock.after(1, look);
  }

  #ended(task: number, serial: number): void {
    const attempt = this.#world.attempts.get(`${task}-${serial}`);
    const outcome = attempt?.outcome;
    if (attempt === undefined || outcome === undefined) return;
    this.#disk.record(() => {
      this.#disk.claims.delete(task);
      if (outcome.type === "success") this.#disk.done.add(task);
    });
    const { progressed } = attempt;
    const event = { type: "attempt/ended", task, serial, outcome, progressed } as const;
    this.#post(event);
    const late = this.#draw(5);
    if (late === 4) this.#later(() => this.#post(event));
    if (late === 3) this.#later(() => this.#post({ type: "attempt/started", task, serial }));
  }

  #intervene(each: Intervention): void {
    if (each.type === "drain") this.#post({ type: "drain/requested" });
    else if (each.type === "limits") this.#post({ type: "limits/changed", limits: each.limits });
    else if (each.type === "stop") {
      const { how, reason } = each;
      const tasks = each.tasks?.filter((task) => task < this.#plan.size);
      this.#post({ type: "stop/requested", tasks, how, reason });
    } else {
      const { cpusMilli, memoryBytes } = each;
      this.#post({ type: "foreign/changed", cpusMilli, memoryBytes, pools: {} });
      const release = { type: "foreign/changed", cpusMilli: 0, memoryBytes: 0, pools: {} } as const;
      this.#clock.after(
        40,
        this.#alive(() => this.#post(release)),
      );
    }
  }

  #post(event: Posted): void {
    this.#life.queue.push(event);
  }

  /** After a short time that is drawn, if this life of flow still lasts. */
  #later(action: () => void): void {
    this.#clock.after(this.#draw(4), this.#alive(action));
  }

  #alive(action: () => void): () => void {
    const life = this.#life;
    return () => {
      if (!life.dead) action();
    };
  }

  #draw(count: number): number {
    const choice = this.#scenario.choices?.[this.#drawn] ?? 0;
    this.#drawn += 1;
    return choice % count;
  }

  #task(index: number): ScenarioTask {
    return this.#scenario.tasks[index] as ScenarioTask;
  }
}
