// How a backend introduces itself. A plug-in is a value; it registers nothing by being imported.

import type { Clock } from "../ports/clock.ts";
import type { Log } from "../ports/log.ts";
import type { BackendName } from "../model/ids.ts";
import type { Result } from "../model/result.ts";
import type { Task } from "../model/task.ts";
import type { TreeId } from "../snapshot/manifest.ts";
import type { Backend, Json, Refuse } from "./backend.ts";

/** The version of the interface in this package; a plug-in made for another one is refused by name. */
export const BACKEND_API_VERSION = 1;

/** What a backend gets from its host instead of importing it. */
export interface BackendPorts {
  readonly clock: Clock;
  readonly log: Log;
  /** flow's own environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface BackendContext<Options> {
  readonly name: BackendName;
  readonly options: Options;
  /** The project's root, absolute. */
  readonly root: string;
  /** `.flow/` of the project, absolute. */
  readonly stateDirectory: string;
  readonly ports: BackendPorts;
  /**
   * Takes down the project's code as it is now, stores it under `.flow/` and names it. Rejects with a
   * SnapshotError. Absent where only running attempts are looked after.
   */
  readonly captureCode?: () => Promise<TreeId>;
}

/** A problem in the options, located by its path in them. */
export interface OptionIssue {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What came of cleaning up elsewhere. */
export interface CleanedUp {
  /** Names of what was removed. */
  readonly removed: readonly string[];
  /** A sentence for each thing that could not be. */
  readonly problems: readonly string[];
}

export interface BackendPlugin<Options = unknown, TaskOptions = unknown> {
  readonly apiVersion: number;
  /** `local`, `slurm`; the value of `type:` in the flow file. */
  readonly type: string;
  /** Checks `backends.<name>` (without `type`). */
  parseOptions(input: unknown): Result<Options, readonly OptionIssue[]>;
  /** Checks a task's own keys for this backend (`slurm: {…}`). */
  parseTaskOptions(input: unknown): Result<TaskOptions, readonly OptionIssue[]>;
  /** Asked when the plan is made, so that nothing is silently left out: what this kind cannot do. */
  readonly refuse?: Refuse;
  /**
   * What it would send elsewhere for these tasks, as it would be sent, but for secrets and for what is
   * only known then. Asks nobody. Absent: nothing that is worth seeing.
   */
  requests?(context: BackendContext<Options>, tasks: readonly Task[]): readonly Json[];
  /**
   * Removes what the backend made elsewhere for the project and recorded under its folder of the state
   * directory, and records there that nothing needs any more, but for what the runs named here still
   * use. Absent: it leaves nothing behind.
   */
  cleanUp?(context: BackendContext<Options>, runs: readonly string[]): Promise<CleanedUp>;
  /** Opens it. Fails with a sentence when something outside is missing. */
  open(context: BackendContext<Options>): Promise<Result<Backend, string>>;
}

/** Declares a plug-in; its options' types follow from `parseOptions`. */
export function defineBackend<Options, TaskOptions>(
  plugin: Omit<BackendPlugin<Options, TaskOptions>, "apiVersion">,
): BackendPlugin<Options, TaskOptions> {
  return { ...plugin, apiVersion: BACKEND_API_VERSION };
}
