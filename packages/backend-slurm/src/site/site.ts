// Where the files of attempts lie as the nodes see them, and how they get there and back. On a file
// system that both sides share there is nothing to do.

import type { Job } from "@flow/core";
import { fence } from "../attempt/files.ts";
import type { Refusal } from "../schedulers/scheduler.ts";

export interface Site {
  /** Whether both sides see the same files under the same paths. */
  readonly isShared: boolean;
  /** The submissions' folder as the nodes see it. */
  readonly folder: string;
  /** The folder of the node-side scripts as the nodes see it. */
  readonly scripts: string;
  /** The job with the paths that the nodes know. */
  translate(job: Job): Job;
  /** An attempt's directory as the nodes see it. */
  placeOf(attempt: string): string;
  /** Brings what the jobs of a submission need, all or nothing. Their specifications lie in their directories. */
  deliver(submission: string, index: string, jobs: readonly Job[]): Promise<Refusal | undefined>;
  /** Brings what attempts have written up to date here; a sentence when that cannot be done. */
  refresh(attempts: readonly string[]): Promise<string | undefined>;
  /** Takes a claim so that it can never start: false when it has, undefined when nobody can tell. */
  fence(attempt: string, generation: number, restart: number): Promise<boolean | undefined>;
  /** Passes on the stop requests that lie in the attempt's directory. */
  tell(attempt: string): Promise<void>;
  /** Brings home what an attempt has made, once; a sentence when that cannot be done now. */
  bringHome(attempt: string, succeeded: boolean): Promise<string | undefined>;
}

/** `folder` and `scripts` are absolute, here and on the nodes. */
export const sharedSite = (folder: string, scripts: string): Site => ({
  isShared: true,
  folder,
  scripts,
  translate: (job) => job,
  placeOf: (attempt) => attempt,
  deliver: async () => undefined,
  refresh: async () => undefined,
  fence: async (attempt, generation, restart) => fence(attempt, generation, restart),
  tell: async () => {},
  bringHome: async () => undefined,
});
