// What is remembered of a task's last success, what is seen of its inputs now, and how the two can
// differ. Everything here is plain JSON, so that a record written by one flow can be concluded by
// the next.

import type { RunId, TaskId, TaskKey } from "../model/ids.ts";
import type { Target } from "../model/task.ts";

/** The parts of a recipe that are hashed one by one. */
export type RecipePart = "actions" | "env" | "cwd" | "shell" | "container" | "track";

/** A task's recipe, as it enters the fingerprint, in words that can be shown. */
export interface Recipe {
  /** One entry per action, long ones shortened. */
  readonly actions: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly shell: string;
  readonly container: string | undefined;
  /** What is tracked, by name, with a short form of its value. */
  readonly track: Readonly<Record<string, string>>;
}

/** A recipe with the hashes that decide whether it changed. */
export interface Fingerprint {
  /** Over all parts. */
  readonly digest: string;
  readonly parts: Readonly<Record<RecipePart, string>>;
  readonly recipe: Recipe;
}

/** What one dep (one match of a glob) holds. */
export interface DepState {
  /** Relative to the root; absolute when it lies outside. */
  readonly path: string;
  readonly check: "content" | "mtime" | "size" | "keys";
  /** Hash of what counts; `absent` for an optional dep that is not there. */
  readonly digest: string;
  /** Stat signature that went with the digest; "" when it cannot vouch for it. */
  readonly signature: string;
  /** For `keys`: the values, by key, shortened. */
  readonly values?: Readonly<Record<string, string>>;
}

/** Everything a task's result may depend on, as seen before it starts. */
export interface InputSnapshot {
  readonly version: 1;
  /**
   * Hash of recipe, deps and used values. Attempts with the same identity continue one another: the
   * checkpoint of one is the start of the next.
   */
  readonly identity: string;
  readonly fingerprint: Fingerprint;
  readonly deps: readonly DepState[];
  /** Paths of each named dep, for `DepReference`. */
  readonly expansions: Readonly<Record<string, readonly string[]>>;
  /** Used values by name; an object keyed by member where they were gathered. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Final parameters, raw. */
  readonly params: Readonly<Record<string, string>>;
  /** Raw values of the parameters outside the fingerprint. */
  readonly budget: Readonly<Record<string, string>>;
}

/** What a task made, as it was right after. */
export interface TargetState {
  readonly path: string;
  /** `absent` for an optional target that is not there. */
  readonly digest: string;
  /** "" when it cannot vouch for the digest. */
  readonly signature: string;
  /** Unix nanoseconds of its youngest change, of anything in a directory; absent: not known. */
  readonly changedNs?: string;
}

/** The record of a success: with these inputs, the outputs were these. */
export interface Trace {
  readonly version: 1;
  readonly durationMs: number;
  readonly task: TaskId;
  /** Flow file, relative to the root. */
  readonly file: string;
  readonly run: RunId;
  readonly serial: number;
  /** Unix milliseconds, for display. */
  readonly endedAt: number;
  readonly fingerprint: Fingerprint;
  readonly deps: readonly DepState[];
  readonly values: Readonly<Record<string, string>>;
  readonly targets: readonly TargetState[];
  readonly params: Readonly<Record<string, string>>;
  readonly budget: Readonly<Record<string, string>>;
  /** Deps that changed while the task ran: its result may be of neither version. */
  readonly changed: readonly string[];
}

/**
 * One way in which a task is not fresh. Absent `old` or `new`: there was or is none. `new` of
 * `never-succeeded` is `present` when the task's targets are there all the same.
 */
export interface Reason {
  readonly component:
    | RecipePart
    | "forced"
    | "always"
    | "never-succeeded"
    | "no-inputs-or-targets"
    | "dep-added"
    | "dep-removed"
    | "dep-content"
    | "dep-changed-while-running"
    | "target-missing"
    | "target-modified"
    | "target-lost"
    | "target-bad"
    | "target-used"
    | "value"
    | "budget"
    | "fresh-command"
    | "upstream";
  /** The dep, target, variable, value or task it is about; "" when there is only one. */
  readonly name: string;
  readonly old: string | undefined;
  readonly new: string | undefined;
}

/** Why a task cannot be started or judged. */
export interface InputProblem {
  readonly kind:
    | "missing"
    | "no-match"
    | "unreadable"
    | "changing"
    | "value"
    | "command"
    | "modified";
  readonly path: string;
  /** One sentence: what is wrong, and what to do. */
  readonly message: string;
}

/** The answer to *is it fresh, and if not why*. */
export type Inspection =
  | {
      readonly verdict: "fresh" | "stale";
      /** Empty when fresh. */
      readonly reasons: readonly Reason[];
      readonly inputs: InputSnapshot;
      /** Targets that were edited since they were made: kept, and worth a warning. */
      readonly modifiedTargets: readonly string[];
      /** A budget was raised and the work of the last success stands: the task goes on from it. */
      readonly promote: boolean;
      /** The work of the last success stands, so a checkpoint that it left is worth keeping. */
      readonly resumes: boolean;
    }
  | { readonly verdict: "impossible"; readonly problems: readonly InputProblem[] };

/** A target that is not what its task promised. */
export interface TargetProblem {
  readonly kind: "missing" | "bad";
  readonly path: string;
  /** One sentence. */
  readonly message: string;
}

/** A success to put on record; all of it comes from the attempt's own record. */
export interface Conclusion {
  readonly key: TaskKey;
  readonly task: TaskId;
  readonly file: string;
  readonly run: RunId;
  readonly serial: number;
  readonly durationMs: number;
  readonly endedAt: number;
  readonly targets: readonly Target[];
  /** The values file, relative to the root; absent: none. */
  readonly values: string | undefined;
  readonly inputs: InputSnapshot;
}

/** Stands for the digest of what is not there. */
export const absent = "absent";
