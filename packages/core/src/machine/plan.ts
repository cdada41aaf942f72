// What the machine knows of a plan: numbers and small policies, no names of files, no commands.
// Index i is the i-th task of the plan everywhere.

import type { ResourceRequest } from "../model/resources.ts";
import type { RequeuePolicy, RetryPolicy } from "../model/task.ts";

export interface MachineTask {
  /** Backend index in {@link MachinePlan.backends}. */
  readonly backend: number;
  readonly resources: ResourceRequest;
  /** Pool name → amount held while it runs; `max_parallel` arrives here as a pool of its own. */
  readonly pools: Readonly<Record<string, number>>;
  readonly retries: RetryPolicy;
  readonly requeue: RequeuePolicy;
  readonly allowFailure: boolean;
  readonly priority: number;
  /** Members with the same group stop each other when `failFast`; -1: none. */
  readonly group: number;
  readonly failFast: boolean;
  /** Nothing to run: done once its dependencies are. */
  readonly grouping: boolean;
  /** A trial it gathers that is ended early is left out, instead of keeping it from running. */
  readonly bearsPruned: boolean;
  /** Runs alone (the terminal is its own). */
  readonly exclusive: boolean;
}

export interface MachinePlan {
  readonly size: number;
  readonly tasks: readonly MachineTask[];
  /** Compressed adjacency: dependents of i are `dependents[dependentStart[i] … dependentStart[i+1]]`. */
  readonly dependentStart: Int32Array;
  readonly dependents: Int32Array;
  /** Number of distinct tasks i waits for. */
  readonly dependencyCount: Int32Array;
  /** Length of the longest path from i to a sink, in milliseconds of past durations; larger goes first. */
  readonly weight: Float64Array;
  readonly backends: readonly MachineBackend[];
}

export interface MachineBackend {
  /** Its attempts count against slots, cpus and memory of this machine. */
  readonly local: boolean;
}
