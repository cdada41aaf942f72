// A project: everything a flow file (with its includes, parameters and environment) says, expanded
// and checked, as plain JSON.

import type { Task } from "./task.ts";

/** A backend as the file declares it. */
export interface BackendDeclaration {
  readonly name: string;
  /** `local`, `gpu`, `slurm`, `azure-batch`, or the npm package of a plug-in. */
  readonly use: string;
  /** Checked by the plug-in's schema. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** A search whose trials another program thinks up. */
export interface Search {
  readonly template: string;
  /** Names its log, `.flow/searches/<key>.jsonl`. */
  readonly key: string;
  /** The program: a shell command, or its arguments. */
  readonly command: string | readonly string[];
  /** Where the program runs, relative to the root. */
  readonly folder: string;
  readonly trials: number;
  /** How many are asked for, and run, at once. */
  readonly batch: number;
  readonly metric: string;
  readonly direction: "max" | "min";
  /** What the file says under `params` and `seed`, for the program. */
  readonly params: unknown;
  readonly seed: string | undefined;
  /** Not run unless it is asked for or needed. */
  readonly hidden: boolean;
  /** Templates that take something of its trials. */
  readonly users: readonly string[];
}

export interface Project {
  readonly name: string | undefined;
  readonly description: string | undefined;
  /** Absolute path; `.flow/` lies here. */
  readonly root: string;
  /** The top flow file, absolute. */
  readonly file: string;
  /** Paths (relative to the root) of all source files, and `command line`; spans index this list. */
  readonly sources: readonly string[];
  readonly workspace: string | undefined;
  readonly experiment: string | undefined;
  /** Expanded tasks in file order; members in matrix order. */
  readonly tasks: readonly Task[];
  /** Selectors run when none are given; empty: every task that is not hidden. */
  readonly default: readonly string[];
  /** `jobs:`; absent: resources decide. */
  readonly jobs: number | undefined;
  readonly pools: Readonly<Record<string, number>>;
  readonly backends: readonly BackendDeclaration[];
  /** Environment variables passed through, never recorded or shown. */
  readonly secrets: readonly string[];
  readonly compat: readonly string[];
  /** Patterns left out of directory hashes, beside the built-in ones. */
  readonly ignore: readonly string[];
  readonly code: { readonly include: readonly string[]; readonly omit: readonly string[] };
  /** Absent: none. */
  readonly searches?: readonly Search[] | undefined;
  /** Final parameter values, raw text, dotted names. */
  readonly params: Readonly<Record<string, string>>;
}
