// The attempts of one project on this machine: started, adopted, watched, stopped and read. What
// runs here outlives flow; everything needed to find it again lies in its directory.

import { existsSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import {
  type AttemptKey,
  attemptHandle,
  type BackendFailure,
  type Clock,
  err,
  followFile,
  type Handle,
  type Job,
  type Log,
  type Observation,
  ok,
  parseAttemptHandle,
  type ReattachRequest,
  type Result,
  type StopReason,
} from "@flow/core";
import { adopt, findLeader, isClaimYoung } from "./adopt.ts";
import { type Attempt, exitOf, NEVER_STARTED, readExit } from "./attempt.ts";
import { type AttemptFiles, attemptFiles, parseExit } from "./files.ts";
import { deadlineOf, mayShare, policyOf, type StartExtra, variablesOf } from "./job.ts";
import {
  type LeaderExit,
  LOST_CLAIM,
  launch,
  missingShell,
  TORN_CLAIM,
  UNSTARTED,
} from "./launch.ts";
import { Runners } from "./runner.ts";
import { Sampler } from "./sampler.ts";
import { arrange, arrangeTimeouts, resumeStop, stop, treeOf } from "./stop.ts";
import { isAlive, type ProcessTable } from "./table.ts";
import { killMarked, killMembers, Marks, markedTree, send, type Tree } from "./terminate.ts";

export interface AttemptsOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** The environment that attempts inherit. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly table: ProcessTable;
  /** Whether short commands may run in shells that live on; else each attempt has its own. */
  readonly sharesShells: boolean;
}

/** Polling of attempts that are not our children. */
const WATCH_MIN_MS = 20;
const WATCH_MAX_MS = 1000;
/** Attempts shorter than this are searched for strays together, once in this time. */
const SWEEP_MS = 1000;
/** Wait before an attempt that the full machine could not start is started again. */
const RESTART_MS = 250;

/** Ended attempts that are remembered; older ones are read from their files when asked about. */
const MAX_OVER = 1000;

type Listener = (keys: readonly AttemptKey[]) => void;

export class Attempts implements AsyncDisposable {
  readonly #options: AttemptsOptions;
  readonly #attempts = new Map<AttemptKey, Attempt>();
  readonly #listeners = new Set<Listener>();
  readonly #sampler: Sampler;
  readonly #runners: Runners;
  readonly #marks: Marks;
  readonly #host: string = hostname();
  readonly #umask: string = process.umask().toString(8).padStart(4, "0");
  /** Attempts that have ended, oldest first. */
  readonly #over: AttemptKey[] = [];
  #changed: AttemptKey[] = [];
  #ended = new Set<string>();
  #cancelSweep: (() => void) | undefined;
  #closed = false;

  constructor(options: AttemptsOptions) {
    this.#options = options;
    this.#sampler = new Sampler(options.table, options.clock);
    this.#marks = new Marks(options.table, options.clock);
    this.#runners = new Runners(options.env, options.table);
  }

  /** Starts an attempt. A key seen before, here or by another flow, is not started again. */
  async start(job: Job, extra: StartExtra = {}): Promise<Result<Handle, BackendFailure>> {
    const files = attemptFiles(job.paths.attempt);
    const handle = attemptHandle(job.key, job.paths.attempt);
    if (this.#attempts.has(job.key)) return ok(handle);
    if (existsSync(files.started)) {
      if (this.#adopt(job.key, job.paths.attempt) !== undefined) return ok(handle);
      const message = `Attempt ${job.key} was given up before it started and cannot start any more.`;
      return err({ type: "rejected", message });
    }
    const shell = missingShell(job, this.#options.env);
    if (shell !== undefined) {
      const message = `The shell \`${shell}\` of task ${job.task} was not found on PATH; install it or choose another \`shell:\`.`;
      return err({ type: "misconfigured", message });
    }
    const attempt = this.#create(job, files);
    this.#attempts.set(job.key, attempt);
    const failure = await this.#launch(attempt, job, extra);
    if (failure === undefined) {
      arrangeTimeouts(attempt, this.#options);
      return ok(handle);
    }
    this.#attempts.delete(job.key);
    return err(failure);
  }

  /** What is known of each; an attempt that has just ended is waited for until its strays are gone. */
  async observe(
    handles: ReadonlyMap<AttemptKey, Handle>,
  ): Promise<ReadonlyMap<AttemptKey, Observation>> {
    const found = new Map<AttemptKey, Observation>();
    for (const [key, handle] of handles) {
      const attempt = this.#find(key, handle);
      await attempt?.ending;
      found.set(key, attempt?.observation ?? NEVER_STARTED);
    }
    return found;
  }

  /** Stops an attempt; see {@link stop}. */
  cancel(handle: Handle, how: "graceful" | "forced", reason: StopReason): void {
    const parsed = parseAttemptHandle(handle);
    const attempt = parsed && this.#find(parsed.key, handle);
    if (attempt !== undefined && attempt.ending === undefined)
      stop(attempt, how, reason, this.#options);
  }

  /** Handles of those attempts that have started; the others never will. */
  reattach(requests: readonly ReattachRequest[]): ReadonlyMap<AttemptKey, Handle> {
    const found = new Map<AttemptKey, Handle>();
    for (const { key, attempt } of requests)
      if (this.#attempts.has(key) || this.#adopt(key, attempt) !== undefined)
        found.set(key, attemptHandle(key, attempt));
    return found;
  }

  async *logs(
    handle: Handle,
    stream: "stdout" | "stderr",
    fromByte: number,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array> {
    const parsed = parseAttemptHandle(handle);
    if (parsed === undefined) return;
    const attempt = this.#find(parsed.key, handle);
    const isOver = (): boolean => attempt === undefined || attempt.observation.type === "ended";
    const path = attemptFiles(parsed.attempt)[stream];
    yield* followFile(path, fromByte, isOver, this.#options.clock, signal);
  }

  onChange(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Lets go of everything; what runs goes on running. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#sampler.stop();
    this.#listeners.clear();
    for (const attempt of this.#attempts.values()) {
      for (const cancel of attempt.arranged) cancel();
      attempt.arranged.clear();
      attempt.shell?.release();
    }
    this.#attempts.clear();
    this.#runners.close();
    this.#sweep();
  }

  #create(job: Job, files: AttemptFiles): Attempt {
    const { clock, table } = this.#options;
    const since = clock.wall();
    return {
      key: job.key,
      files,
      policy: policyOf(job),
      observation: { type: "running", since, node: this.#host },
      leader: undefined,
      ownsSession: !job.interactive,
      shell: undefined,
      startedAt: since,
      startedUptime: table.uptime(),
      stop: undefined,
      peakMemoryBytes: undefined,
      arranged: new Set(),
      ending: undefined,
    };
  }

  async #launch(
    attempt: Attempt,
    job: Job,
    extra: StartExtra,
  ): Promise<BackendFailure | undefined> {
    const { clock, env, table } = this.#options;
    const { files, policy } = attempt;
    const uptime = table.uptime();
    const spec = {
      job,
      files,
      policy,
      boot: table.boot,
      host: this.#host,
      uptime,
      umask: this.#umask,
    };
    const variables = variablesOf(job, extra, deadlineOf(policy, clock.wall()), env);
    const ended = (exit: LeaderExit): void => {
      if (!this.#restart(attempt, job, extra, exit)) this.#end(attempt, exit);
    };
    const descriptors = extra.descriptors;
    const started =
      this.#options.sharesShells && descriptors === undefined && mayShare(job, variables)
        ? await this.#runners.launch(spec, variables, ended)
        : await launch(spec, { ...env, ...variables }, descriptors ?? {}, table, ended);
    if (!started.ok) return started.error;
    attempt.shell = started.value;
    attempt.leader = { pid: started.value.pid, start: started.value.start, boot: table.boot };
    if (attempt.ending === undefined && !attempt.shell.startsNothing) this.#sampler.add(attempt);
    return undefined;
  }

  /** Starts an attempt again that a full machine kept from starting its first action. True when it does. */
  #restart(attempt: Attempt, job: Job, extra: StartExtra, exit: LeaderExit): boolean {
    if (this.#closed || attempt.stop !== undefined) return false;
    const record = exit.result === undefined ? readExit(attempt) : parseExit(exit.result);
    const { directory, started } = attempt.files;
    const unclaimed = record === undefined && !existsSync(started) && existsSync(directory);
    const torn = record === undefined && exit.code === TORN_CLAIM;
    const refused = record?.error === "system" && record.action <= 1;
    if (!unclaimed && !torn && !refused) return false;
    this.#sampler.remove(attempt);
    attempt.shell?.done();
    attempt.shell = undefined;
    attempt.leader = undefined;
    const why = "This machine cannot start another process or write a file now.";
    attempt.observation = { type: "queued", why };
    this.#announce(attempt.key);
    arrange(
      attempt,
      RESTART_MS,
      () => {
        for (const file of [attempt.files.exit, attempt.files.started])
          rmSync(file, { force: true });
        attempt.observation = {
          type: "running",
          since: this.#options.clock.wall(),
          node: this.#host,
        };
        void this.#launch(attempt, job, extra).then((failure) => {
          if (failure !== undefined) this.#restart(attempt, job, extra, UNSTARTED);
          this.#announce(attempt.key);
        });
      },
      this.#options,
    );
    return true;
  }

  #find(key: AttemptKey, handle: Handle): Attempt | undefined {
    const known = this.#attempts.get(key);
    if (known !== undefined) return known;
    const parsed = parseAttemptHandle(handle);
    return parsed === undefined || parsed.key !== key
      ? undefined
      : this.#adopt(key, parsed.attempt);
  }

  /** Takes over an attempt from its directory; undefined when it never started and never will. */
  #adopt(key: AttemptKey, directory: string): Attempt | undefined {
    const { clock, table } = this.#options;
    const attempt = adopt(key, directory, table, clock.wall());
    if (attempt === undefined) return undefined;
    this.#attempts.set(key, attempt);
    if (this.#look(attempt)) return attempt;
    this.#sampler.add(attempt);
    resumeStop(attempt, this.#options);
    arrangeTimeouts(attempt, this.#options);
    this.#watch(attempt, WATCH_MIN_MS);
    return attempt;
  }

  #watch(attempt: Attempt, delayMs: number): void {
    const next = Math.min(delayMs * 1.5, WATCH_MAX_MS);
    const again = (): void => {
      if (!this.#look(attempt)) this.#watch(attempt, next);
    };
    arrange(attempt, delayMs, again, this.#options);
  }

  /** Looks whether an adopted attempt is over. */
  #look(attempt: Attempt): boolean {
    const { clock, table } = this.#options;
    attempt.leader ??= findLeader(attempt, table);
    const alive = attempt.leader !== undefined && isAlive(attempt.leader, table);
    if (readExit(attempt) === undefined) {
      if (alive) return false;
      if (attempt.leader === undefined && isClaimYoung(attempt.files, table, clock.wall()))
        return false;
    }
    this.#end(attempt, undefined);
    return true;
  }

  /** Ends an attempt: its strays are killed first, then its end is told. */
  #end(attempt: Attempt, leader: LeaderExit | undefined): void {
    if (attempt.ending !== undefined) return;
    this.#sampler.remove(attempt);
    for (const cancel of attempt.arranged) cancel();
    attempt.arranged.clear();
    if (leader?.code === LOST_CLAIM) {
      attempt.shell?.done();
      this.#attempts.delete(attempt.key);
      this.#adopt(attempt.key, attempt.files.directory);
      this.#announce(attempt.key);
      return;
    }
    attempt.ending = this.#clear(attempt, leader);
  }

  async #clear(attempt: Attempt, leader: LeaderExit | undefined): Promise<void> {
    const { clock, table } = this.#options;
    const tree = this.#leftoverTree(attempt, leader);
    const killed = tree === undefined ? 0 : await killMembers(tree, table, clock);
    this.#tellEnd(attempt, leader, killed);
    attempt.shell?.done();
    attempt.shell = undefined;
  }

  /** Where to look for processes of an attempt whose shell has ended; undefined when it is not worth the time. */
  #leftoverTree(attempt: Attempt, leader: LeaderExit | undefined): Tree | undefined {
    const { shell, stop } = attempt;
    // The number of a shell that is not our child may be another process's by now.
    if (shell === undefined || leader === undefined)
      return this.#marks.has(attempt.files.directory)
        ? markedTree(attempt.files.directory)
        : undefined;
    const ran = this.#options.table.uptime() - (attempt.startedUptime ?? 0);
    const isTold = shell.goesOn ? leader.result !== undefined : leader.signal === undefined;
    const hasGroup = !shell.goesOn && send(-shell.pid, 0);
    if (stop !== undefined || !attempt.ownsSession || !isTold || hasGroup || ran * 1000 >= SWEEP_MS)
      return treeOf(attempt);
    if (shell.startsNothing) return undefined;
    this.#ended.add(attempt.files.directory);
    this.#cancelSweep ??= this.#options.clock.after(SWEEP_MS, () => this.#sweep());
    return undefined;
  }

  #tellEnd(attempt: Attempt, leader: LeaderExit | undefined, leftovers: number): void {
    const { clock, table } = this.#options;
    const record = leader?.result === undefined ? readExit(attempt) : parseExit(leader.result);
    const exit = exitOf(attempt, record, {
      leader,
      uptime: table.uptime(),
      wall: clock.wall(),
      host: this.#host,
      outOfMemory: (record?.signal ?? 9) === 9 && this.#sampler.memoryKillSeen(),
      leftovers,
      lost:
        attempt.leader !== undefined && attempt.leader.boot !== table.boot
          ? "The machine was restarted while it ran."
          : "Its shell ended without a result.",
    });
    attempt.observation = { type: "ended", exit };
    this.#announce(attempt.key);
    this.#over.push(attempt.key);
    if (this.#over.length > MAX_OVER)
      for (const key of this.#over.splice(0, MAX_OVER / 2)) this.#attempts.delete(key);
  }

  /** Kills what short attempts have left outside their sessions. */
  #sweep(): void {
    this.#cancelSweep?.();
    this.#cancelSweep = undefined;
    if (this.#ended.size === 0) return;
    for (const directory of killMarked(this.#ended, this.#options.table))
      this.#options.log.warn(
        `The attempt in ${directory} left processes behind; they were killed.`,
      );
    this.#ended = new Set();
  }

  #announce(key: AttemptKey): void {
    if (this.#changed.push(key) > 1) return;
    setImmediate(() => {
      const keys = this.#changed;
      this.#changed = [];
      for (const listener of this.#listeners) listener(keys);
    });
  }
}
