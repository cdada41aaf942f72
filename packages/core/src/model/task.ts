// A task as the rest of flow sees it: expanded from its template and matrix, every path normalised
// and relative to the project root, plain JSON, so that a plan can be cached and an attempt can be
// recorded whole.

import type { TaskId, TaskKey } from "./ids.ts";
import type { PoolRequest, ResourceRequest } from "./resources.ts";

/** A half-open range of offsets in one of a project's source files (an index into its list). */
export interface Span {
  readonly file: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Text whose templates are filled in, except those that are only known when the task is ready:
 * the expansion of a dependency with a glob. Plain text is a string.
 */
export type Text = string | readonly (string | DepReference)[];

/** Stands for all dependencies in a {@link DepReference}. */
export const EVERY_DEP = "*";

/**
 * Stands for the paths of the dependencies with the name `dep`, or of all ({@link EVERY_DEP}),
 * inserted when the task is ready.
 */
export interface DepReference {
  readonly dep: string;
  /** `shell`: each path quoted, separated by spaces; `argv`: one argument each; `raw`: joined by spaces. */
  readonly form: "shell" | "argv" | "raw";
}

export type Dep = FileDep | DirectoryDep | GlobDep | KeysDep;

interface DepCommon {
  /** Name under which actions can refer to it; absent when it has none. */
  readonly name: string | undefined;
  /** The task whose target this is, when the file says so (`{task, target}`). */
  readonly from: TaskId | undefined;
  /** May be missing; its appearing or vanishing is a change. */
  readonly optional: boolean;
  /** It is here because an action reads it as standard input; not among what `${{ deps }}` gives. */
  readonly isInput?: true;
  readonly span: Span;
}

/** Marks a dep as a candidate: the best of its choice counts, the others as if they were not there. */
export interface Candidate {
  /** The task that makes it, whose last success has the metric. */
  readonly task: TaskKey;
  readonly metric: string;
  readonly direction: "max" | "min";
  /** Candidates with the same choice are compared with each other; unique within the task. */
  readonly choice: string;
}

interface FileDep extends DepCommon {
  readonly kind: "file";
  readonly candidate?: Candidate | undefined;
  /** Of a trial that may be ended early: then it is left out. */
  readonly isTrial?: boolean | undefined;
  readonly path: string;
  /** What counts as a change. `content` is decided by SHA-256, with the stat signature as a shortcut. */
  readonly check: "content" | "mtime" | "size";
  /** Lies outside the project root and is allowed to. */
  readonly external: boolean;
}

interface DirectoryDep extends DepCommon {
  readonly kind: "directory";
  readonly candidate?: Candidate | undefined;
  /** Of a trial that may be ended early: then it is left out. */
  readonly isTrial?: boolean | undefined;
  /** Without trailing slash. */
  readonly path: string;
  readonly check: "content" | "mtime" | "size";
  readonly external: boolean;
}

/** Expanded when the task is ready; no match is an error unless `optional`. */
interface GlobDep extends DepCommon {
  readonly kind: "glob";
  readonly pattern: string;
}

/** Some keys of a YAML or JSON file; other changes in the file do not count. */
interface KeysDep extends DepCommon {
  readonly kind: "keys";
  readonly path: string;
  /** Dotted paths into the document. */
  readonly keys: readonly string[];
}

export interface Target {
  /** Name under which actions can refer to it; absent when it has none. */
  readonly name: string | undefined;
  readonly kind: "file" | "directory";
  /** Without trailing slash. */
  readonly path: string;
  /** Must not be empty (a file of 0 bytes, a directory without entries). */
  readonly nonempty: boolean;
  /** Required SHA-256 in hex; absent: any content. */
  readonly sha256: string | undefined;
  /** May be missing after success. */
  readonly optional: boolean;
  /** Left in place when the task runs again, instead of being moved aside. */
  readonly update: boolean;
  /** Removed once every task that uses it is done, and made again when one needs it again. */
  readonly untilUsed: boolean;
  readonly span: Span;
}

/** A value another task saves, read when this task is ready; part of its fingerprint. */
export interface ValueUse {
  readonly name: string;
  /** One member, or all members of a template when it was asked for as a whole. */
  readonly from: readonly TaskId[];
  /** True when the program gets an object keyed by member instead of one value. */
  readonly gathered: boolean;
  /** Dotted key in the values file; absent: the whole file. */
  readonly key: string | undefined;
  readonly span: Span;
}

/** How a command line is started. */
export type Shell = "sh" | "bash";

export interface Action {
  /** `shell`: `text` is given to the shell; `exec`: `argv` is started without one. */
  readonly kind: "shell" | "exec";
  readonly text: Text;
  readonly argv: readonly Text[];
  readonly shell: Shell;
  /** Relative to the project root; absent: the task's own. */
  readonly cwd: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** As the task's own. */
  readonly envRecipe?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs: number | undefined;
  /** Exit codes that count as success. */
  readonly okExit: readonly number[];
  /** A file whose content is the standard input; absent: none. */
  readonly stdin: string | undefined;
  /**
   * What enters the fingerprint: the expanded command with indentation normalised, `budget`
   * parameters and secrets replaced by their placeholders.
   */
  readonly recipe: string;
  readonly span: Span;
}

/** How a metric is read from a program that does not know flow. */
export type MetricSource =
  | { readonly kind: "stdout"; readonly pattern: string }
  | { readonly kind: "json"; readonly path: string }
  | { readonly kind: "jsonl"; readonly glob: string };

export interface RetryPolicy {
  /** Additional tries after a failure. */
  readonly max: number;
  /** Causes that are retried; empty: any failure. */
  readonly causes: readonly string[];
  /** Wait before the first retry; doubles up to `backoffMaxMs`. */
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  /** Per cause, per resource (`mem`, `gpu_mem`, `time`, `cpus`), the factor for the next try. */
  readonly escalate: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export interface RequeuePolicy {
  /** `auto`: as the exit says; `always`: also without a checkpoint; `never`: a requeue is a failure. */
  readonly mode: "auto" | "always" | "never";
  /** Further exit codes that mean requeue, beside 75, 85 and 99. */
  readonly codes: readonly number[];
  /** Absent: no limit but the no-progress guard. */
  readonly max: number | undefined;
  readonly delayMs: number;
}

export interface StopPolicy {
  /** `SIGTERM`, `SIGINT`, …; `none`: only the stop file. */
  readonly signal: string;
  readonly graceMs: number;
}

export interface Checkpoint {
  /** Relative to the root; absent: the task's own place under `.flow/`. */
  readonly path: string | undefined;
  /** Kept after success. */
  readonly keep: boolean;
}

/** One of `track:`; its value at the time of the check is part of the fingerprint. */
export type Track =
  | { readonly kind: "env"; readonly name: string }
  | { readonly kind: "cmd"; readonly command: string; readonly shell: Shell }
  | { readonly kind: "text"; readonly text: string };

/** A condition with the place it was written at; evaluated when the task is ready. */
export interface Condition {
  readonly expression: string;
  /** Shown when a `require` does not hold. */
  readonly message: string | undefined;
  readonly span: Span;
}

/** When trials of a sweep are ended early. */
export interface Pruning {
  /** The metric that decides, with its namespace. */
  readonly metric: string;
  readonly direction: "max" | "min";
  readonly rule:
    | {
        readonly kind: "median";
        /** The first step at which a trial may be ended. */
        readonly after: number;
        /** How many other trials must have come as far. */
        readonly trials: number;
      }
    | {
        readonly kind: "asha";
        /** The first rung; the next is `factor` times as far, up to `last`. */
        readonly first: number;
        readonly last: number;
        /** One in so many goes on at a rung. */
        readonly factor: number;
      };
}

export interface Task {
  readonly id: TaskId;
  readonly key: TaskKey;
  /** The name in the file, with namespace, without axes. */
  readonly template: string;
  /** Axis values as written (`10.` stays `10.`), in the order of the axes. */
  readonly axes: Readonly<Record<string, string>>;
  /** Safe in paths and unique in the project. */
  readonly slug: string;
  readonly aliases: readonly string[];
  readonly tags: readonly string[];
  readonly desc: string | undefined;
  readonly hidden: boolean;
  /** The flow file it was written in, relative to the root. */
  readonly file: string;
  readonly span: Span;

  readonly deps: readonly Dep[];
  /** Order only: these are done first, their results do not matter. */
  readonly after: readonly TaskId[];
  readonly uses: readonly ValueUse[];
  readonly track: readonly Track[];

  readonly targets: readonly Target[];
  /** Output directories by name (FLOW_OUTPUT_<ID>), relative to the root; empty path: below FLOW_OUTPUT_DIR. */
  readonly outputs: Readonly<Record<string, string>>;
  readonly checkpoint: Checkpoint | undefined;
  readonly metrics: readonly MetricSource[];
  /** A JSON file whose keys other tasks can use; absent: none. */
  readonly values: string | undefined;
  readonly protect: boolean;

  readonly actions: readonly Action[];
  /** Run after the actions, whatever came of them; their exit does not matter. */
  readonly finally: readonly Action[];
  /** Set for every action; part of the fingerprint. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables that enter the fingerprint in another form, with budgets by name; absent: none. */
  readonly envRecipe?: Readonly<Record<string, string>> | undefined;
  /** Relative to the root. */
  readonly cwd: string;
  readonly interactive: boolean;
  /** Parameters as the program gets them, raw text, dotted names; not part of the fingerprint by themselves. */
  readonly params: Readonly<Record<string, string>>;
  /** Names of parameters outside the fingerprint. */
  readonly budget: readonly string[];
  /** Raw values of the `budget` parameters, to notice a promotion. */
  readonly budgetValues: Readonly<Record<string, string>>;

  readonly always: boolean;
  readonly frozen: boolean;
  /** A command whose exit code 0 says that the task is fresh; absent: none. */
  readonly fresh: string | undefined;

  readonly when: Condition | undefined;
  readonly require: readonly Condition[];
  readonly retries: RetryPolicy;
  readonly requeue: RequeuePolicy;
  readonly timeoutMs: number | undefined;
  /** No event, output or checkpoint change for this long is a hang; absent: no guard. */
  readonly hangAfterMs: number | undefined;
  readonly stop: StopPolicy;
  readonly allowFailure: boolean;
  readonly priority: number;

  readonly resources: ResourceRequest;
  readonly pools: PoolRequest;
  /** At most this many members of the template at once; absent: no such limit. */
  readonly maxParallel: number | undefined;
  /** A failing member stops the other members of the template. */
  readonly failFast: boolean;
  /** One of the trials of a `sweep:`. */
  readonly isTrial?: boolean | undefined;
  /** Absent: trials run to their end. */
  readonly pruning?: Pruning | undefined;
  readonly backend: string;
  /** Blocks of backends' own keys (`slurm: {…}`) by block name, already checked by their schemas. */
  readonly backendOptions: Readonly<Record<string, unknown>>;
  readonly container: string | undefined;
  /** Mount name → source, as the backend understands it. */
  readonly mounts: Readonly<Record<string, string>>;

  readonly clean:
    | { readonly kind: "targets" }
    | { readonly kind: "none" }
    | { readonly kind: "actions"; readonly targets: boolean; readonly actions: readonly Action[] };
}
