// A job that runs nowhere: its actions are played, not started. It keeps to what the interface
// promises of real ones: order, good codes, `finally`, stops with their grace, time limits.

import type { Job, JobAction, Observation } from "../backend/backend.ts";
import type { Exit, ExternalCause, StopReason } from "../model/outcome.ts";
import type { Clock } from "../ports/clock.ts";

/** What one action does. */
export interface Play {
  /** Under which it appears in the job's witness. @default its command line */
  readonly name?: string;
  /** How long it runs; Infinity: until it is released or stopped. @default 0 */
  readonly ms?: number;
  /** @default 0 */
  readonly code?: number;
  /** The signal that ends it, instead of a code. */
  readonly signal?: string;
  readonly stdout?: string;
  readonly stderr?: string;
  /** What it makes of a stop signal. @default "dies" */
  readonly onStop?: "dies" | "ignores" | { readonly code: number; readonly prints?: string };
  /** Leaves a process behind. */
  readonly leaves?: boolean;
  /** Done when it ends by itself: this is where outputs come from. */
  readonly effect?: () => void;
}

export type Player = (action: JobAction, job: Job) => Play;

interface Ending {
  readonly code: number | undefined;
  readonly signal: string | undefined;
  readonly action: number | undefined;
}

const DONE: Ending = { code: 0, signal: undefined, action: undefined };

export class FakeJob {
  readonly job: Job;
  readonly output: { stdout: string; stderr: string } = { stdout: "", stderr: "" };
  /** Names of the actions, in the order in which they began. */
  readonly begun: string[] = [];
  readonly submittedAt: number;
  #state: "queued" | "running" | "ended" = "queued";
  #exit: Exit | undefined;
  readonly #clock: Clock;
  readonly #play: Player;
  readonly #changed: () => void;
  readonly #timers: (() => void)[] = [];
  #phase: "actions" | "finally" = "actions";
  #index = 0;
  #playing: Play | undefined;
  #ending: Ending = DONE;
  #stopped: StopReason | undefined;
  #killAsked = false;
  #released = false;
  #leaky = false;
  #startedAt: number | undefined;
  #startedWall: number | undefined;

  /** Begins by itself after `queueMs`, unless `mayStart` says no by then. */
  constructor(
    job: Job,
    clock: Clock,
    play: Player,
    changed: () => void,
    start: { readonly queueMs: number; readonly mayStart: () => boolean },
  ) {
    this.job = job;
    this.submittedAt = clock.now();
    this.#clock = clock;
    this.#play = play;
    this.#changed = changed;
    this.#timers.push(
      clock.after(start.queueMs, () => {
        if (start.mayStart()) this.#start();
      }),
    );
  }

  get hasStarted(): boolean {
    return this.#startedAt !== undefined;
  }

  get isEnded(): boolean {
    return this.#state === "ended";
  }

  observation(): Observation {
    if (this.#exit !== undefined) return { type: "ended", exit: this.#exit };
    if (this.#state === "queued") return { type: "queued", why: undefined };
    return { type: "running", since: this.#startedWall, node: "fake" };
  }

  /** Lets actions that wait for it end, now and later. */
  release(): void {
    this.#released = true;
    if (this.#playing?.ms === Number.POSITIVE_INFINITY) this.#endsItself(this.#playing);
  }

  stop(how: "graceful" | "forced", reason: StopReason): void {
    if (this.isEnded) return;
    const again = this.#stopped !== undefined;
    this.#stopped ??= reason;
    if (this.#state === "queued") this.#end({ ...DONE, code: undefined });
    else if (how === "forced") this.#kill();
    else if (!again && this.#phase === "actions") this.#signal();
  }

  /** The system takes the job away. */
  takeAway(cause: ExternalCause): void {
    if (!this.isEnded) this.#end({ ...DONE, code: undefined }, cause);
  }

  #start(): void {
    this.#state = "running";
    this.#startedAt = this.#clock.now();
    this.#startedWall = this.#clock.wall();
    const { timeoutMs } = this.job;
    if (timeoutMs !== undefined) {
      this.#timers.push(this.#clock.after(timeoutMs, () => this.stop("graceful", "deadline")));
    }
    this.#changed();
    this.#next();
  }

  #next(): void {
    const list = this.#phase === "actions" ? this.job.actions : this.job.finally;
    const action = list[this.#index];
    if (action === undefined) {
      if (this.#phase === "finally") this.#end(this.#ending);
      else this.#finally();
      return;
    }
    const play = this.#play(action, this.job);
    this.#playing = play;
    this.begun.push(play.name ?? action.argv.join(" "));
    this.output.stdout += play.stdout ?? "";
    this.output.stderr += play.stderr ?? "";
    this.#changed();
    const ms = play.ms ?? 0;
    if (ms === Number.POSITIVE_INFINITY) {
      if (this.#released) this.#endsItself(play);
    } else this.#timers.push(this.#clock.after(ms, () => this.#endsItself(play)));
    if (action.timeoutMs === undefined) return;
    this.#timers.push(
      this.#clock.after(action.timeoutMs, () => {
        if (this.#playing === play) this.stop("graceful", "deadline");
      }),
    );
  }

  #finally(): void {
    this.#phase = "finally";
    this.#index = 0;
    this.#next();
  }

  #endsItself(play: Play): void {
    if (this.#playing !== play) return;
    play.effect?.();
    if (play.leaves === true) this.#leaky = true;
    this.#actionEnded(play.signal === undefined ? (play.code ?? 0) : undefined, play.signal);
  }

  #actionEnded(code: number | undefined, signal: string | undefined): void {
    this.#playing = undefined;
    const action = this.job.actions[this.#index];
    const good = code !== undefined && action?.okExit.includes(code) === true;
    if (this.#phase === "finally" || (good && this.#stopped === undefined)) {
      this.#index += 1;
      this.#next();
      return;
    }
    const leftUndone = good && this.#index + 1 < this.job.actions.length;
    this.#ending = leftUndone
      ? { code: undefined, signal: "SIGTERM", action: this.#index }
      : { code, signal, action: this.#index };
    this.#finally();
  }

  #signal(): void {
    const { signal, graceMs } = this.job.stop;
    this.#timers.push(this.#clock.after(graceMs, () => this.#kill()));
    const onStop = this.#playing?.onStop ?? "dies";
    if (signal === "none" || onStop === "ignores" || this.#playing === undefined) return;
    if (onStop === "dies") this.#actionEnded(undefined, signal);
    else {
      this.output.stdout += onStop.prints ?? "";
      this.#actionEnded(onStop.code, undefined);
    }
  }

  #kill(): void {
    if (this.isEnded || this.#killAsked) return;
    this.#killAsked = true;
    if (this.#phase === "actions") {
      this.#ending = { code: undefined, signal: "SIGKILL", action: this.#index };
    }
    this.#end(this.#ending);
  }

  #end(ending: Ending, cause?: ExternalCause): void {
    for (const cancel of this.#timers) cancel();
    this.#playing = undefined;
    this.#state = "ended";
    const now = this.#clock.now();
    this.#exit = {
      ...ending,
      stopped: this.#stopped,
      cause,
      startedAt: this.#startedWall,
      endedAt: this.#clock.wall(),
      durationMs: this.#startedAt === undefined ? undefined : now - this.#startedAt,
      node: this.#startedAt === undefined ? undefined : "fake",
      usage: undefined,
      leaky: this.#leaky,
      detail: undefined,
    };
    this.#changed();
  }
}
