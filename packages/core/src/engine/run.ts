// The one loop: take an event, let the machine decide, write down what must not be forgotten, then
// do what the machine wants. Nothing else calls the machine.

import PQueue from "p-queue";
import type { Effect } from "../machine/effect.ts";
import type { MachineEvent } from "../machine/event.ts";
import { Machine } from "../machine/machine.ts";
import type { RunId } from "../model/ids.ts";
import { exitWith, type StopReason } from "../model/outcome.ts";
import type { Limits } from "../model/resources.ts";
import type { Task } from "../model/task.ts";
import { troubleOf } from "../ports/system-error.ts";
import { recordedSuccess } from "../record/recorded-success.ts";
import { demandUsedUp } from "../trace/forecast.ts";
import { Attendant } from "./attendant.ts";
import { Checker } from "./checker.ts";
import { Claims } from "./claims.ts";
import { CodeKeeper } from "./code-keeper.ts";
import { Dispatch } from "./dispatch.ts";
import { Neighbours } from "./neighbours.ts";
import { foldTraces } from "./open-traces.ts";
import { Recorder } from "./recorder.ts";
import { followRequests, type RunRequestLine } from "./requests.ts";
import { type OpenRun, openRun } from "./run-directory.ts";
import type { RunCounts } from "./run-event.ts";
import type { Fact, RunRequest, Services } from "./services.ts";
import { TaskNews } from "./task-news.ts";
import { UsedTargets } from "./used-targets.ts";
import { WaitingNews } from "./waiting-news.ts";

/** Pause before a disk that refused is tried again. */
const DISK_RETRY_MS = 500;

/** How long a run that starts nothing more waits for news of attempts it knows nothing about. */
const UNKNOWN_PATIENCE_MS = 10_000;

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

/** The ends a person vouches for. */
const RESOLVED_DONE = exitWith({ code: 0, detail: "resolved as done by a person" });
const RESOLVED_LOST = exitWith({ cause: "lost", detail: "resolved as lost by a person" });

export class Run {
  readonly #request: RunRequest;
  readonly #machine: Machine;
  readonly #services: Services;
  readonly #attendant: Attendant;
  readonly #checker: Checker;
  readonly #dispatch: Dispatch;
  readonly #news: TaskNews;
  readonly #neighbours: Neighbours;
  readonly #used: UsedTargets;
  readonly #waiting: WaitingNews;
  readonly #queue: MachineEvent[] = [];
  readonly #afterFlush: (() => void)[] = [];
  #opened: OpenRun | undefined;
  #busy = false;
  #finished = false;
  #missing = false;
  #broken = false;
  #lastTrouble = "";
  #stopped: StopReason | undefined;
  #unfollow: (() => void) | undefined;
  #cancelWake: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;
  #cancelLeave: (() => void) | undefined;
  #done: () => void = () => {};

  constructor(request: RunRequest) {
    this.#request = request;
    this.#machine = new Machine(request.plan.machine);
    this.#services = this.#makeServices();
    this.#attendant = new Attendant(this.#services);
    this.#neighbours = new Neighbours(this.#services);
    const checks = new PQueue({ concurrency: CHECKS });
    this.#checker = new Checker(this.#services, this.#neighbours, checks);
    this.#dispatch = new Dispatch(this.#services, {
      attendant: this.#attendant,
      checker: this.#checker,
      neighbours: this.#neighbours,
      open: () => this.#open(),
    });
    this.#used = new UsedTargets(this.#services, () => this.#open());
    this.#waiting = new WaitingNews(this.#services, this.#machine);
    this.#news = new TaskNews(this.#services, this.#attendant, this.#machine);
  }

  /**
   * Runs to the end, or until {@link leave}. Called once. With `onlyAdopt` nothing is started: what
   * an earlier run left behind is brought to its end, `onlyAdopt` being called once that is known.
   */
  async execute(onlyAdopt?: (run: Run) => void): Promise<RunResult> {
    const finished = new Promise<void>((resolve) => {
      this.#done = resolve;
    });
    this.#news.started(this.#limits());
    await this.#dispatch.adoption.adopt(() => this.#open());
    await this.#demandUsedUp();
    this.#neighbours.begin();
    this.#waiting.begin();
    const { keepGoing, failFast } = this.#request;
    this.#post({ type: "run/opened", limits: this.#limits(), options: { keepGoing, failFast } });
    if (onlyAdopt !== undefined) {
      this.#post({ type: "drain/requested" });
      onlyAdopt(this);
    }
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

  /** A person says what became of a task's attempt that nothing can be found out about. */
  resolve(index: number, as: "lost" | "done"): void {
    const live = this.#attendant.live(index);
    if (live === undefined || live.running) return;
    this.#attendant.end(live, as === "done" ? RESOLVED_DONE : RESOLVED_LOST);
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
      code: this.#makeKeeper(),
      tasks: request.plan.tasks,
      post: (fact) => this.#post(fact),
      flush: () => !this.#busy && this.#commit(),
      afterFlush: (action) => {
        this.#afterFlush.push(action);
      },
      reload: (task) => {
        const trace = recordedSuccess(layout, task, ports.fileSystem);
        if (trace !== undefined) request.traces.overlay([[task, trace]]);
      },
      missing: () => {
        this.#missing = true;
      },
      giveUp: () => this.#finish(),
      broken: (message, task) => this.#trouble(message, task),
      warn: (message, task) => this.#warn(message, task),
    };
  }

  #makeKeeper(): CodeKeeper | undefined {
    const { captureCode, ports, layout, run } = this.#request;
    if (captureCode === undefined) return undefined;
    return new CodeKeeper(captureCode, ports.clock, {
      first: (code) => ports.fileSystem.write(layout.code(run), `${JSON.stringify(code)}\n`),
      warn: (message) => this.#warn(message),
    });
  }

  /** Before anything is judged: what is made again has to be there when those that use it are looked at. */
  #demandUsedUp(): Promise<void> {
    const { plan, inspector, evaluate } = this.#request;
    return demandUsedUp(plan, inspector, (task) => {
      const verdict = task.when === undefined ? { holds: true } : evaluate(task.when, task);
      return "holds" in verdict && !verdict.holds;
    });
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
    this.#leaveUnknown();
  }

  /**
   * A run that starts nothing more does not wait for ever for attempts that nothing can be found out
   * about; they keep their claims, and the next run asks again.
   */
  #leaveUnknown(): void {
    const stuck = this.#machine.isHalted && this.#machine.onlyUnknownLeft;
    if (!stuck) {
      this.#cancelLeave?.();
      this.#cancelLeave = undefined;
      return;
    }
    this.#cancelLeave ??= this.#services.clock.after(UNKNOWN_PATIENCE_MS, () => this.#finish());
  }

  /** Writes what is pending, then lets go of what waited for it. False when the disk refuses. */
  #commit(): boolean {
    try {
      this.#services.recorder.flush();
    } catch (error) {
      this.#trouble(`cannot write the journal: ${troubleOf(error)}`);
      this.#cancelRetry ??= this.#services.clock.after(DISK_RETRY_MS, () => {
        this.#cancelRetry = undefined;
        if (!this.#busy) this.#drain();
      });
      return false;
    }
    for (const action of this.#afterFlush.splice(0)) action();
    this.#dispatch.send();
    return true;
  }

  #perform(effect: Effect): void {
    switch (effect.type) {
      case "check":
        this.#checker.check(effect.task);
        break;
      case "start":
        this.#dispatch.start(effect);
        break;
      case "resubmit":
        this.#dispatch.resubmit(effect.task);
        break;
      case "stop":
        this.#dispatch.stop(effect);
        break;
      case "wake":
        this.#wake(effect.at);
        break;
      case "settled":
        this.#news.settled(effect.task, effect.state);
        this.#used.settled(effect.task, effect.state);
        this.#attendant.forget(effect.task);
        this.#checker.forget(effect.task);
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

  #wake(at: number): void {
    this.#cancelWake?.();
    const { clock } = this.#services;
    this.#cancelWake = clock.after(Math.max(0, at - clock.now()), () =>
      this.#post({ type: "tick" }),
    );
  }

  #open(): void {
    if (this.#opened !== undefined) return;
    this.#opened = openRun(this.#services);
    const { layout, run, ports } = this.#request;
    this.#unfollow = followRequests(layout, run, ports, (asked) => this.#take(asked));
  }

  #take(asked: RunRequestLine): void {
    const names = asked.type === "cancel" ? asked.tasks : [asked.task];
    const indices = names.flatMap((name) => {
      const index = this.#services.tasks.findIndex(({ id }) => id === name);
      return index < 0 ? [] : [index];
    });
    if (asked.type === "cancel") this.cancel(indices, asked.how);
    else for (const index of indices) this.resolve(index, asked.as);
  }

  #warn(message: string, task?: Task): void {
    this.#services.recorder.emit({ type: "warning", task: task?.id ?? "", message });
  }

  #trouble(message: string, task?: Task): void {
    if (!this.#broken)
      this.#queue.push({ type: "drain/requested", now: this.#services.clock.now() });
    this.#broken = true;
    if (this.#lastTrouble !== message) this.#warn(message, task);
    this.#lastTrouble = message;
  }

  /** A disk that is still full at the end makes it an end with trouble. */
  #tryToFlush(): void {
    try {
      this.#services.recorder.flush();
    } catch (error) {
      this.#trouble(`cannot write the journal: ${troubleOf(error)}`);
    }
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#done();
  }

  async #close(): Promise<RunResult> {
    this.#cancelWake?.();
    this.#cancelRetry?.();
    this.#cancelLeave?.();
    this.#unfollow?.();
    this.#neighbours.close();
    this.#waiting.close();
    this.#attendant.close();
    await this.#attendant.idle();
    await this.#used.idle();
    await this.#services.code?.idle();
    this.#dispatch.close();
    const counts = this.#news.counts();
    this.#tryToFlush();
    const exitCode = this.#exitCode(counts);
    this.#services.recorder.emit({ type: "run/ended", counts, exitCode });
    try {
      await this.#opened?.close(this.#afterFlush.splice(0));
      await this.#keepSignatures();
    } catch (error) {
      // What is not in the journal is in the attempts' own folders; the next run reads it there.
      this.#warn(`cannot write the end of the run: ${troubleOf(error)}`);
    }
    return { run: this.#request.run, counts, exitCode, recorded: this.#opened !== undefined };
  }

  /** What was read once need not be read again next time, even if nothing ran. */
  async #keepSignatures(): Promise<void> {
    const { traces, layout, ports, inspector } = this.#request;
    try {
      inspector.save();
      if (this.#opened === undefined && traces.isChanged) await foldTraces(traces, layout, ports);
    } catch {
      // A project that cannot be written to is read again next time.
    }
  }

  #exitCode(counts: RunCounts): number {
    if (this.#stopped === "user") return 130;
    if (this.#stopped !== undefined) return 143;
    if (this.#broken) return 3;
    if (counts.failed > 0 && !this.#missing) return 1;
    if (this.#missing || counts.unknown > 0) return 4;
    return counts.failed > 0 || counts.blocked > 0 || counts.cancelled > 0 ? 1 : 0;
  }
}
