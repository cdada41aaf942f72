// The one loop: take an event, let the machine decide, write down what must not be forgotten, then
// do what the machine wants. Nothing else calls the machine.

import PQueue from "p-queue";
import type { BackendFailure, Handle, Job, Observation } from "../backend/backend.ts";
import type { Effect } from "../machine/effect.ts";
import type { MachineEvent } from "../machine/event.ts";
import { Machine } from "../machine/machine.ts";
import type { AttemptKey, RunId } from "../model/ids.ts";
import type { StopReason } from "../model/outcome.ts";
import type { Limits } from "../model/resources.ts";
import type { Task } from "../model/task.ts";
import { type AttemptRecord, lastAttempt } from "../record/attempt-record.ts";
import { Adoption } from "./adoption.ts";
import { Attendant } from "./attendant.ts";
import { Checker } from "./checker.ts";
import { Claims } from "./claims.ts";
import { Lane, type LaneListener } from "./lanes.ts";
import { Neighbours } from "./neighbours.ts";
import { Recorder } from "./recorder.ts";
import { openRun, type OpenRun } from "./run-directory.ts";
import type { RunCounts } from "./run-event.ts";
import type { Fact, RunRequest, Services } from "./services.ts";
import { Starter } from "./starter.ts";
import { TaskNews } from "./task-news.ts";

/** Pause before a disk that refused is tried again. */
const DISK_RETRY_MS = 500;

/** Freshness checks at once. */
const CHECKS = 16;

export interface RunResult {
  readonly run: RunId;
  readonly counts: RunCounts;
  /** See the exit codes of the command line. */
  readonly exitCode: number;
  /** False when nothing was started and so nothing was written. */
  readonly recorded: boolean;
}

type StartEffect = Effect & { type: "start" };

export class Run {
  readonly #request: RunRequest;
  readonly #machine: Machine;
  readonly #services: Services;
  readonly #starter: Starter;
  readonly #attendant: Attendant;
  readonly #checker: Checker;
  readonly #adoption: Adoption;
  readonly #news: TaskNews;
  readonly #neighbours: Neighbours;
  readonly #lanes = new Map<string, Lane>();
  readonly #queue: MachineEvent[] = [];
  readonly #afterFlush: (() => void)[] = [];
  #opened: OpenRun | undefined;
  #busy = false;
  #finished = false;
  #outside = false;
  #stopped: StopReason | undefined;
  #cancelWake: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;
  #done: () => void = () => {};

  constructor(request: RunRequest) {
    this.#request = request;
    this.#machine = new Machine(request.plan.machine);
    this.#services = this.#makeServices();
    this.#starter = new Starter(this.#services);
    this.#attendant = new Attendant(this.#services);
    this.#checker = new Checker(this.#services, new PQueue({ concurrency: CHECKS }));
    this.#adoption = new Adoption(this.#services, this.#attendant, this.#lanes);
    this.#news = new TaskNews(this.#services, this.#attendant, this.#machine);
    this.#neighbours = new Neighbours(this.#services);
    for (const [name, backend] of request.backends) {
      this.#lanes.set(name, new Lane(backend, request.ports.clock, this.#laneListener()));
    }
  }

  /** Runs to the end, or until {@link leave}. Called once. */
  async execute(): Promise<RunResult> {
    const finished = new Promise<void>((resolve) => {
      this.#done = resolve;
    });
    this.#news.started(this.#limits().slots);
    await this.#adoption.adopt(() => this.#open());
    this.#neighbours.begin();
    const { keepGoing, failFast } = this.#request;
    this.#post({ type: "run/opened", limits: this.#limits(), options: { keepGoing, failFast } });
    await finished;
    return this.#close();
  }

  /** Asks everything to stop and starts nothing new; `forced` kills. */
  stop(how: "graceful" | "forced", reason: StopReason): void {
    this.#stopped ??= reason;
    this.#news.stopping(how, this.#attendant.all());
    this.#post({ type: "stop/requested", tasks: undefined, how, reason });
  }

  /** Asks some tasks to stop; the others go on. */
  cancel(tasks: readonly number[], how: "graceful" | "forced"): void {
    this.#post({ type: "stop/requested", tasks, how, reason: "user" });
  }

  /** Ends the run now and leaves what runs to itself; the next run finds it. */
  leave(reason: StopReason): void {
    this.#stopped ??= reason;
    this.#finish();
  }

  #makeServices(): Services {
    const request = this.#request;
    const { ports, layout, run } = request;
    return {
      request,
      layout,
      files: ports.fileSystem,
      clock: ports.clock,
      claims: new Claims(run, layout, ports.fileSystem, ports.locks),
      recorder: new Recorder(ports.clock, request.listeners),
      tasks: request.plan.tasks,
      post: (fact) => this.#post(fact),
      afterFlush: (action) => {
        this.#afterFlush.push(action);
      },
      reload: (task) => {
        const trace = lastAttempt(layout, task, ports.fileSystem)?.result?.trace;
        if (trace !== undefined) request.traces.overlay([[task, trace]]);
      },
      outside: (message, task) => this.#trouble(message, task),
      warn: (message, task) => this.#warn(message, task),
    };
  }

  #limits(): Limits {
    const { plan, backends, slots } = this.#request;
    const local = [...backends.values()].find(({ capabilities }) => capabilities.local);
    const machine = local?.limits();
    return {
      slots,
      cpusMilli: machine?.cpusMilli,
      memoryBytes: machine?.memoryBytes,
      pools: { ...machine?.pools, ...plan.project.pools, ...plan.extraPools },
    };
  }

  #post(fact: Fact): void {
    if (this.#finished) return;
    this.#queue.push({ ...fact, now: this.#services.clock.now() } as MachineEvent);
    if (!this.#busy) this.#drain();
  }

  #drain(): void {
    this.#busy = true;
    try {
      for (;;) {
        const event = this.#queue.shift();
        if (event !== undefined) {
          for (const effect of this.#machine.step(event)) this.#perform(effect);
        } else if (!this.#commit() || this.#queue.length === 0) break;
      }
    } finally {
      this.#busy = false;
    }
  }

  /** Writes what is pending, then lets go of what waited for it. False when the disk refuses. */
  #commit(): boolean {
    try {
      this.#services.recorder.flush();
    } catch (error) {
      this.#trouble(`cannot write the journal: ${(error as Error).message}`);
      this.#cancelRetry ??= this.#services.clock.after(DISK_RETRY_MS, () => {
        this.#cancelRetry = undefined;
        if (!this.#busy) this.#drain();
      });
      return false;
    }
    for (const action of this.#afterFlush.splice(0)) action();
    for (const lane of this.#lanes.values()) lane.send();
    return true;
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "check":
        this.#checker.check(effect.task);
        break;
      case "start":
        this.#start(effect);
        break;
      case "resubmit":
        this.#resubmit(effect.task);
        break;
      case "stop": {
        const live = this.#attendant.live(effect.task);
        if (live === undefined) break;
        live.stop = effect.reason;
        this.#lane(effect.task).stop(live.record.key, effect.how, effect.reason);
        break;
      }
      case "wake":
        this.#wake(effect.at);
        break;
      case "settled":
        this.#news.settled(effect.task, effect.state);
        break;
      case "again":
        this.#news.again(effect);
        break;
      case "finished":
        this.#finish();
        break;
      default:
        effect satisfies never;
    }
  }

  #start(effect: StartEffect): void {
    const task = this.#task(effect.task);
    const checked = this.#checker.result(effect.task);
    if (checked === undefined) throw new Error(`${task.id} was started without being checked`);
    try {
      this.#open();
      const start = this.#starter.start(effect, checked);
      if (start.type === "prepared") this.#submit(effect.task, start.record, start.job);
      else if (start.type === "orphan") {
        void this.#adoption.adoptOne(effect.task, start.attempt);
      } else {
        this.#post({ type: "task/held", task: effect.task });
        if (start.type === "held") this.#neighbours.waitFor(effect.task, start.by);
        else this.#checker.refresh(effect.task);
      }
    } catch (error) {
      this.#trouble(`cannot start: ${(error as Error).message}`, task);
      const serial = checked.lastSerial + 1;
      const { message } = error as Error;
      this.#post({ type: "attempt/claimed", task: effect.task, serial });
      this.#post({
        type: "attempt/refused",
        task: effect.task,
        serial,
        failure: "rejected",
        retryAfterMs: undefined,
        message,
      });
    }
  }

  #submit(index: number, record: AttemptRecord, job: Job): void {
    const { recorder } = this.#services;
    const { key, attempt, reason, serial, task, wall } = record;
    recorder.fact({ type: "attempt/claimed", task: task.id, key, attempt, reason, wall });
    this.#attendant.admit(index, record, job.paths.attempt, { job });
    this.#post({ type: "attempt/claimed", task: index, serial });
    this.#lane(index).add(job);
  }

  #resubmit(index: number): void {
    const live = this.#attendant.live(index);
    if (live?.job !== undefined) this.#lane(index).sendAgain(live.job);
  }

  #laneListener(): LaneListener {
    const find = (key: AttemptKey): ReturnType<Attendant["live"]> => this.#attendant.byKey(key);
    return {
      submitted: (key: AttemptKey, handle: Handle) => {
        const live = find(key);
        if (live === undefined) return;
        live.handle = handle;
        if (!this.#lane(live.index).backend.capabilities.local) {
          this.#services.recorder.fact({ type: "attempt/submitted", key, handle });
        }
        this.#post({ type: "attempt/submitted", task: live.index, serial: live.record.serial });
      },
      refused: (key: AttemptKey, failure: BackendFailure) => {
        const live = find(key);
        if (live !== undefined) this.#refused(live.index, failure);
      },
      observed: (key: AttemptKey, observation: Observation) => {
        const live = find(key);
        if (live !== undefined) this.#attendant.observe(live, observation);
      },
      stopFailed: (key: AttemptKey, failure: BackendFailure) => {
        const live = find(key);
        this.#warn(`could not be asked to stop: ${failure.message}`, live?.record.task);
      },
    };
  }

  #refused(index: number, failure: BackendFailure): void {
    const live = this.#attendant.live(index);
    if (live === undefined) return;
    if (failure.type !== "unavailable") this.#attendant.abandon(live, failure.message);
    this.#post({
      type: "attempt/refused",
      task: index,
      serial: live.record.serial,
      failure: failure.type,
      retryAfterMs: failure.type === "unavailable" ? failure.retryAfterMs : undefined,
      message: failure.message,
    });
    if (failure.type === "misconfigured") this.#outside = true;
  }

  #wake(at: number): void {
    this.#cancelWake?.();
    const { clock } = this.#services;
    this.#cancelWake = clock.after(Math.max(0, at - clock.now()), () =>
      this.#post({ type: "tick" }),
    );
  }

  #task(index: number): Task {
    const task = this.#services.tasks[index];
    if (task === undefined) throw new Error(`no task has the index ${index}`);
    return task;
  }

  #lane(index: number): Lane {
    const name = this.#task(index).backend;
    const lane = this.#lanes.get(name);
    if (lane === undefined) throw new Error(`backend ${name} was not opened`);
    return lane;
  }

  #open(): void {
    this.#opened ??= openRun(this.#services);
  }

  #warn(message: string, task?: Task): void {
    this.#services.recorder.emit({ type: "warning", task: task?.id ?? "", message });
  }

  #trouble(message: string, task?: Task): void {
    if (!this.#outside)
      this.#queue.push({ type: "drain/requested", now: this.#services.clock.now() });
    this.#outside = true;
    this.#warn(message, task);
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#done();
  }

  async #close(): Promise<RunResult> {
    this.#cancelWake?.();
    this.#cancelRetry?.();
    this.#neighbours.close();
    this.#attendant.close();
    await this.#attendant.idle();
    for (const lane of this.#lanes.values()) lane.close();
    const counts = this.#news.counts();
    const exitCode = this.#exitCode(counts);
    this.#services.recorder.emit({ type: "run/ended", counts, exitCode });
    await this.#opened?.close(this.#afterFlush.splice(0));
    return { run: this.#request.run, counts, exitCode, recorded: this.#opened !== undefined };
  }

  #exitCode(counts: RunCounts): number {
    if (this.#stopped === "user") return 130;
    if (this.#stopped !== undefined) return 143;
    if (counts.failed > 0 && !this.#outside) return 1;
    if (this.#outside || counts.unknown > 0) return 4;
    return counts.failed > 0 || counts.blocked > 0 ? 1 : 0;
  }
}
