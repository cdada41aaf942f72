// What the backend needs to know of a scheduler: texts in, texts out, no processes and no files. A
// second scheduler is a second descriptor.

import type { Accounting, ExternalCause, Job } from "@flow/core";
import type { Result } from "@flow/core";
import type { CommandResult } from "../transport/transport.ts";

/** A command with its standard input. */
export interface Command {
  readonly argv: readonly string[];
  readonly input: string;
}

/** What one submission asks for. Members differ only in their attempt. */
export interface Submission {
  /** The submission key; it is the job's name and stands for the submission in every search. */
  readonly name: string;
  /** For people: what the jobs are. */
  readonly title: string;
  /** Number of members; their indices are 0, 1, … */
  readonly members: number;
  /** Options of {@link Scheduler.request}. */
  readonly request: readonly string[];
  /** May be restarted by the scheduler. */
  readonly restartable: boolean;
  /** The command each member runs. */
  readonly command: readonly string[];
  /** File for what the scheduler and a script that cannot start have to say. */
  readonly log: string;
}

/**
 * Why a submission was not taken. `unfit`: it was never handed over, the message is a sentence;
 * `away`: nobody was there; `unclear`: it may have been taken.
 */
export interface Refusal {
  readonly type: "rejected" | "unfit" | "busy" | "away" | "unclear";
  readonly message: string;
}

/** A job as its scheduler lists it. */
export interface Row {
  /** Name of the submission. */
  readonly name: string;
  readonly index: number;
  /** It stands for every member of its submission that is not listed itself. */
  readonly whole?: boolean;
  /** What names it in commands. */
  readonly id: string;
  readonly phase: "waiting" | "running" | "ending" | "ended";
  /** How often the scheduler has restarted it. */
  readonly restarts: number;
  /** Why it waits, for people. */
  readonly why: string | undefined;
  /** It will not start unless a person does something. */
  readonly stuck: boolean;
  readonly node: string | undefined;
  /** The state in the scheduler's own word. */
  readonly state: string;
  /** What took it away, when it ended otherwise than by itself. */
  readonly cause: ExternalCause | undefined;
  /** Somebody ended it on purpose. */
  readonly cancelled: boolean;
}

/** What a member of a submission has used. */
export interface Used {
  readonly name: string;
  readonly index: number;
  readonly usage: Accounting;
}

/** What of a job decides where it can run. */
export type Demands = Pick<Job, "resources" | "options" | "stop">;

export interface Scheduler {
  /** For people. */
  readonly title: string;
  /** The program whose absence means that there is no such scheduler here. */
  readonly probe: readonly string[];
  /** Absolute path of the shell text with what node-side scripts need of it. */
  readonly nodeScript: string;
  /** Variables that are the scheduler's own and are never set by flow. */
  readonly ownVariable: RegExp;
  /** The job's demands as options of its submit command. */
  request(job: Demands): readonly string[];
  /** Asks whether a job with these options could ever run; submits nothing. */
  tryOut(request: readonly string[]): Command;
  /**
   * Why it never could, as the scheduler says it; undefined when it could or nobody can tell. `limits`
   * is the answer to {@link Scheduler.limits}.
   */
  parseTryOut(result: CommandResult, demands: Demands, limits: CommandResult): string | undefined;
  /** Asks for the limits of all queues. */
  limits(): Command;
  submit(submission: Submission): Command;
  /** The number of the submitted job. */
  parseSubmitted(result: CommandResult): Result<string, Refusal>;
  /** Asks after all jobs of this user, in one question. */
  list(): Command;
  /** Undefined when the scheduler did not answer. */
  parseList(result: CommandResult): readonly Row[] | undefined;
  /** Asks what has become of jobs it no longer lists; undefined where there is no such record. */
  history(names: readonly string[]): Command;
  parseHistory(result: CommandResult): readonly Row[];
  /** Asks what the members of submissions have used. */
  usage(names: readonly string[]): Command;
  /** Of members that have ended; undefined where nobody keeps account. */
  parseUsage(result: CommandResult): readonly Used[] | undefined;
  /** Ends jobs: those that wait are dropped, those that run are told or, by force, killed. */
  cancel(ids: readonly string[], how: "graceful" | "forced"): readonly Command[];
  /** The most members of one submission, from the answer to `settings`. */
  settings(): Command;
  parseSettings(result: CommandResult): { readonly maxMembers: number };
}
