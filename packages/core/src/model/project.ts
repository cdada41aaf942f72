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
  /** Final parameter values, raw text, dotted names. */
  readonly params: Readonly<Record<string, string>>;
}
