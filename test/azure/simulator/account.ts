/**
 * What a simulated account holds: pools with their nodes, jobs with their tasks. The parts that a client
 * gave are kept in the SDK's own types, which the request was checked against.
 */
import { randomUUID } from "node:crypto";
import type { BatchServiceModels as Models } from "@azure/batch";
import { SimulatedClock } from "./clock.ts";
import type { Mounts } from "./mounts.ts";

/** Everything that a change is stamped with. */
export interface Stamps<State extends string> {
  eTag: string;
  lastModified: string;
  readonly creationTime: string;
  state: State;
  stateTransitionTime: string;
  previousState?: State;
  previousStateTransitionTime?: string;
}

export interface Pool extends Stamps<"active" | "deleting"> {
  readonly id: string;
  readonly spec: Mutable<Models.PoolAddParameter>;
  readonly nodes: Map<string, Node>;
  /** The job that made it, if the pool lives only as long as that. */
  readonly lifetimeOf?: string;
  allocationState: "steady" | "resizing" | "stopping";
  allocationStateTransitionTime: string;
  /** What becomes of tasks on nodes that a resize takes away. */
  deallocation: Models.ComputeNodeDeallocationOption;
  resizeErrors: readonly { readonly code: string; readonly message: string }[];
  autoScaleRun?: { readonly timestamp: string; readonly results: string; readonly error?: object };
  /** When the targets were last changed; the resize time-out counts from here. */
  resizeStarted: number;
  /** Nodes ever made, from which their names and addresses come. */
  made: number;
}

export type NodeState = Exclude<Models.ComputeNodeState, "unknown" | "reimaging">;

export interface Node {
  readonly id: string;
  readonly pool: Pool;
  readonly dedicated: boolean;
  readonly address: string;
  readonly directory: string;
  state: NodeState;
  stateTransitionTime: string;
  schedulingState: "enabled" | "disabled";
  readonly allocationTime: string;
  lastBootTime?: string;
  startTask?: Execution;
  /** Job id to the outcome of the job preparation task here. */
  readonly preparations: Map<string, Execution>;
  readonly releases: Map<string, Execution>;
  errors: readonly { readonly code: string; readonly message: string }[];
  /** Slots taken by what runs here. */
  readonly running: Map<Run, number>;
  totalTasksRun: number;
  totalTasksSucceeded: number;
  /** Counts boots, so that what belongs to an earlier one is recognised. */
  boots: number;
}

/** One process on a node, with its directory. */
export interface Run {
  /** Ends it and everything it started; does not wait. */
  kill(): void;
}

/** How a command went, in the fields that all kinds of task share. */
export interface Execution {
  state: "running" | "completed";
  startTime: string;
  endTime?: string;
  exitCode?: number;
  failureInfo?: FailureInfo;
  result?: "success" | "failure";
  retryCount: number;
  lastRetryTime?: string;
  /** Relative to the node's directory. */
  readonly root: string;
}

export interface FailureInfo {
  readonly category: "UserError" | "ServerError";
  readonly code: string;
  readonly message: string;
  readonly details?: readonly { readonly name: string; readonly value: string }[];
}

type JobState =
  | "active"
  | "disabling"
  | "disabled"
  | "enabling"
  | "terminating"
  | "completed"
  | "deleting";

export interface Job extends Stamps<JobState> {
  readonly id: string;
  readonly spec: Mutable<Models.JobAddParameter>;
  readonly tasks: Map<string, Task>;
  readonly startTime: string;
  endTime?: string;
  poolId?: string;
  terminateReason?: string;
  /** Why it could not be started at all. */
  schedulingError?: {
    readonly category: "UserError";
    readonly code: string;
    readonly message: string;
  };
  disableTasks?: Models.DisableJobOption;
  /** Forgets its wall-clock limit. */
  cancelDeadline?: () => void;
}

export interface Task extends Stamps<"active" | "preparing" | "running" | "completed"> {
  readonly id: string;
  readonly job: Job;
  readonly spec: Mutable<Models.TaskAddParameter>;
  execution?: Execution;
  retryCount: number;
  requeueCount: number;
  lastRequeueTime?: string;
  /** The nodes it is on; more than one for a multi-instance task, the primary first. */
  placement?: Placement;
  readonly subtasks: Map<number, Execution & { readonly node: Node }>;
}

export interface Placement {
  readonly nodes: readonly Node[];
  readonly boot: number;
  readonly runs: Set<Run>;
  /** Set once the task is being ended from outside; its own exit then decides nothing. */
  isAbandoned: boolean;
  readonly cancelDeadline?: () => void;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** How long the service takes for what takes time, in milliseconds. */
export interface Delays {
  readonly allocate: number;
  readonly boot: number;
  readonly deletePool: number;
  readonly endJob: number;
}

export interface Quotas {
  readonly pools: number;
  readonly activeJobs: number;
  readonly dedicatedCores: number;
  readonly lowPriorityCores: number;
}

/** What a test lets the account allocate; absent means as much as is wanted. */
export interface Allocation {
  readonly dedicated?: number;
  readonly lowPriority?: number;
  /** The code of the resize error, such as `AllocationFailed` or `AllocationTimedOut`. */
  readonly code?: string;
}

export class Account {
  readonly name: string;
  readonly key: string;
  readonly clock = new SimulatedClock();
  readonly pools = new Map<string, Pool>();
  readonly jobs = new Map<string, Job>();
  /** Holds the directories of all nodes. */
  readonly directory: string;
  readonly delays: Delays;
  readonly mounts: Mounts;
  /** Variables that every process on a node gets; what a real image would set. */
  readonly nodeEnv: Readonly<Record<string, string>>;
  /** The disks of nodes that are gone stay beside them. */
  readonly keepDisks: boolean;
  quotas: Quotas;
  /** What a test withholds from allocation. */
  allocation: Allocation = {};
  /** Set once the server listens; without a final slash. */
  url = "";
  /** Called after every change; moves everything that can move. */
  changed: () => void = () => undefined;

  constructor(options: {
    readonly name: string;
    readonly key: string;
    readonly directory: string;
    readonly delays: Delays;
    readonly mounts: Mounts;
    readonly quotas: Quotas;
    readonly nodeEnv: Readonly<Record<string, string>>;
    readonly keepDisks: boolean;
  }) {
    this.name = options.name;
    this.key = options.key;
    this.directory = options.directory;
    this.delays = options.delays;
    this.mounts = options.mounts;
    this.quotas = options.quotas;
    this.nodeEnv = options.nodeEnv;
    this.keepDisks = options.keepDisks;
  }

  /** Stamps of something that is made now. */
  born<State extends string>(state: State): Stamps<State> {
    const now = this.clock.stamp();
    return {
      eTag: newTag(),
      lastModified: now,
      creationTime: now,
      state,
      stateTransitionTime: now,
    };
  }

  /** Marks something as modified. */
  touch(thing: { eTag: string; lastModified: string }): void {
    thing.eTag = newTag();
    thing.lastModified = this.clock.stamp();
  }

  /** Moves something to a state; without effect if it is there already. */
  enter<State extends string>(thing: Stamps<State>, state: State): void {
    if (thing.state === state) return;
    thing.previousState = thing.state;
    thing.previousStateTransitionTime = thing.stateTransitionTime;
    thing.state = state;
    thing.stateTransitionTime = this.clock.stamp();
    this.touch(thing);
    this.changed();
  }

  enterNode(node: Node, state: NodeState): void {
    if (node.state === state) return;
    node.state = state;
    node.stateTransitionTime = this.clock.stamp();
    this.changed();
  }

  findPool(id: string): Pool | undefined {
    return this.pools.get(id.toLowerCase());
  }

  findJob(id: string): Job | undefined {
    return this.jobs.get(id.toLowerCase());
  }
}

const newTag = (): string => `0x8D${randomUUID().replaceAll("-", "").slice(0, 13).toUpperCase()}`;
