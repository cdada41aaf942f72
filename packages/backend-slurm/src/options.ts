// The options of `backends.<name>` with `type: slurm`, and a task's own keys under `slurm:`.

import type { OptionIssue, Result } from "@flow/core";
import { checkOptions, durationOption } from "@flow/core/reading";
import * as z from "zod";

/** Where and how jobs are queued. */
export interface SlurmTaskOptions {
  readonly partition?: string | undefined;
  readonly account?: string | undefined;
  readonly qos?: string | undefined;
  /** Options of `sbatch`, as they are; they come last and so win. */
  readonly sbatch: readonly string[];
  /**
   * `job`: each task is a job; `pilot`: a few jobs take one task after another; `auto`: pilots for
   * tasks whose `time` is two minutes at most.
   */
  readonly mode?: "auto" | "job" | "pilot" | undefined;
}

/** What the flow file may say of a cluster; a task may say otherwise of its own place. */
export interface SlurmOptions extends SlurmTaskOptions {
  /** Shortest pause between two questions to the scheduler, in milliseconds. */
  readonly poll: number;
  /** The login node on which commands run; absent: this machine. A name of `~/.ssh/config` will do. */
  readonly host?: string | undefined;
  readonly user?: string | undefined;
  readonly port?: number | undefined;
  /** Path of a private key. */
  readonly identity?: string | undefined;
  /** A configuration file instead of `~/.ssh/config`. */
  readonly ssh_config?: string | undefined;
  /** `ssh2`: flow's own client; `openssh`: the `ssh` of this machine. */
  readonly transport: "ssh2" | "openssh";
  /**
   * A folder on a file system that login node and compute nodes share, for a project that they do not
   * see: absolute, or below the home directory there. Code and inputs are copied there, outputs back.
   */
  readonly folder?: string | undefined;
  /** Most pilots at once for tasks that ask for the same. */
  readonly pilots: number;
  /** Time limit of a pilot, in milliseconds. */
  readonly pilot_time: number;
  /** How long a pilot waits for another task, in milliseconds. */
  readonly pilot_idle: number;
}

const text: z.ZodString = z.string().min(1);

/**
 * Options of `sbatch` by which flow would lose its jobs: it finds them by the names that it gives them,
 * numbers the elements of arrays itself, and waits for none.
 */
const FLOWS_OWN =
  /^(--(job-name|array|wrap|wait|test-only|clusters?|version|help|usage)(=.*|$)|-[JaMWVh](?!-))/;

const words: z.ZodType<readonly string[]> = z
  .array(
    text.refine((word) => !FLOWS_OWN.test(word), {
      error: ({ input }) =>
        `flow itself decides about \`${String(input).replace(/=.*/, "")}\` of sbatch, or would lose the job; leave it out.`,
    }),
  )
  .default([]);

const mode: z.ZodEnum<{ auto: "auto"; job: "job"; pilot: "pilot" }> = z.enum([
  "auto",
  "job",
  "pilot",
]);

const taskOptionsSchema: z.ZodType<SlurmTaskOptions> = z.strictObject({
  partition: text.optional(),
  account: text.optional(),
  qos: text.optional(),
  sbatch: words,
  mode: mode.optional(),
});

/** Pilots take their tasks from a folder that flow sees too. */
const PILOT_APART =
  "Pilots need a project folder that the nodes see; leave out `folder` or choose another `mode`.";

const optionsSchema: z.ZodType<SlurmOptions> = z
  .strictObject({
    partition: text.optional(),
    account: text.optional(),
    qos: text.optional(),
    sbatch: words,
    mode: mode.optional(),
    poll: durationOption.default(2000),
    pilots: z.int().min(1).default(8),
    pilot_time: durationOption.default(3_600_000),
    pilot_idle: durationOption.default(30_000),
    host: text.optional(),
    user: text.optional(),
    port: z.int().min(1).max(65_535).optional(),
    identity: text.optional(),
    ssh_config: text.optional(),
    transport: z.enum(["ssh2", "openssh"]).default("ssh2"),
    folder: z
      .string()
      .regex(/^(~\/|\/)[^\n]+$/, "Expected an absolute path or one that begins with `~/`.")
      .optional(),
  })
  .refine(({ folder, mode }) => folder === undefined || mode !== "pilot", {
    path: ["mode"],
    message: PILOT_APART,
  });

export const parseOptions = (input: unknown): Result<SlurmOptions, readonly OptionIssue[]> =>
  checkOptions(optionsSchema, input);

export const parseTaskOptions = (
  input: unknown,
): Result<SlurmTaskOptions, readonly OptionIssue[]> => checkOptions(taskOptionsSchema, input);
