// The frozen, dense form of a selection: tasks in an order in which they could run one by one,
// adjacency in flat arrays, and what the machine needs of each. It needs no graph library, and its
// text form makes a plan that was made once loadable without the flow file.

import type { MachineBackend, MachinePlan, MachineTask } from "../machine/plan.ts";
import type { TaskId, TaskKey } from "../model/ids.ts";
import type { Project } from "../model/project.ts";
import type { Task } from "../model/task.ts";
import type { Adjacency } from "./adjacency.ts";
import { buildAdjacency, neighbours } from "./adjacency.ts";
import type { TaskGraph } from "./build.ts";
import { guessDurations, rank } from "./rank.ts";
import type { Selection } from "./select.ts";
import { type TemporaryTarget, temporaryIn } from "./temporary.ts";

/** What a plan keeps of the project: all but its tasks. */
export type PlanProject = Omit<Project, "tasks">;

/** Index i is the i-th task everywhere. Immutable. */
export interface Plan {
  readonly project: PlanProject;
  /** Selected tasks, each after what it depends on, otherwise in file order. */
  readonly tasks: readonly Task[];
  /** Indices of the tasks that were asked for themselves. */
  readonly asked: readonly number[];
  /** What each task waits for, within the plan. */
  readonly dependencies: Adjacency;
  /** Parallel to `dependencies.targets`: 1 where only the order matters. */
  readonly orderOnly: Uint8Array;
  /** Path of the values file of every task whose values are used, by task, in the plan or not. */
  readonly valuesFiles: Readonly<Record<string, string>>;
  /** Targets with `keep: until_used` that a task of the plan makes or uses. */
  readonly temporary: readonly TemporaryTarget[];
  /** Names of {@link MachinePlan.backends}, by index. */
  readonly backends: readonly string[];
  /** Pools that `max_parallel` adds to those of the project; for the machine's limits. */
  readonly extraPools: Readonly<Record<string, number>>;
  readonly machine: MachinePlan;
}

export interface PlanOptions {
  /** How long the last success of a task took, in milliseconds; absent: never seen. */
  readonly durationMs?: (task: TaskKey) => number | undefined;
  /** Whether attempts of this backend use this machine. @default only `local` and `gpu` do */
  readonly isLocal?: (backend: string) => boolean;
  /** Run everything on this backend instead of each task's own. */
  readonly backend?: string;
}

const localTypes: ReadonlySet<string> = new Set(["local", "gpu"]);

/** Freezes a selection. */
export function compilePlan(
  graph: TaskGraph,
  selection: Selection,
  options: PlanOptions = {},
): Plan {
  const { tasks: _all, ...project } = graph.project;
  const tasks = selection.tasks.map((index): Task => {
    const task = taskAt(graph, index);
    return options.backend === undefined ? task : { ...task, backend: options.backend };
  });
  const numberOf = new Map(selection.tasks.map((index, number) => [index, number]));
  const { dependencies, orderOnly } = connect(graph, selection, numberOf);
  const frozen: Frozen = {
    project,
    tasks,
    asked: selection.asked.flatMap((index) => numberOf.get(index) ?? []),
    dependencies,
    orderOnly,
    valuesFiles: valuesFilesOf(graph, tasks),
    temporary: temporaryIn(graph.temporary, graph.tasks, numberOf),
  };
  return complete(frozen, options);
}

function valuesFilesOf(graph: TaskGraph, tasks: readonly Task[]): Readonly<Record<string, string>> {
  const used = new Set(tasks.flatMap(({ uses }) => uses.flatMap(({ from }) => from)));
  return Object.fromEntries(
    [...used].flatMap((id) => {
      const path = graph.tasks[graph.indexOf.get(id) ?? -1]?.values;
      return path === undefined ? [] : [[id, path]];
    }),
  );
}

/** What is stored of a plan; the rest follows from it. */
export type Frozen = Omit<Plan, "backends" | "extraPools" | "machine">;

/** Derives what the machine runs on, with the durations known now. */
export function complete(frozen: Frozen, options: PlanOptions = {}): Plan {
  const backends = [...new Set(frozen.tasks.map(({ backend }) => backend))];
  const { machine, extraPools } = compileMachine(frozen, backends, options);
  return { ...frozen, backends, extraPools, machine };
}

function taskAt(graph: TaskGraph, index: number): Task {
  const task = graph.tasks[index];
  if (task === undefined) throw new Error(`No task has the index ${index}.`);
  return task;
}

function connect(
  graph: TaskGraph,
  selection: Selection,
  numberOf: ReadonlyMap<number, number>,
): { readonly dependencies: Adjacency; readonly orderOnly: Uint8Array } {
  const from: number[] = [];
  const to: number[] = [];
  const flags: number[] = [];
  selection.tasks.forEach((index, number) => {
    for (const dependency of neighbours(graph.dependencies, index)) {
      const other = numberOf.get(dependency);
      if (other === undefined) continue;
      from.push(number);
      to.push(other);
      const isOrderOnly = graph.network.getEdgeAttribute(
        String(dependency),
        String(index),
        "orderOnly",
      );
      flags.push(isOrderOnly ? 1 : 0);
    }
  });
  // Edges were listed task by task, so the flags are in the order of the adjacency.
  return {
    dependencies: buildAdjacency(selection.tasks.length, from, to),
    orderOnly: Uint8Array.from(flags),
  };
}

function compileMachine(
  frozen: Frozen,
  backends: readonly string[],
  options: PlanOptions,
): { readonly machine: MachinePlan; readonly extraPools: Readonly<Record<string, number>> } {
  const { project, tasks, dependencies } = frozen;
  const size = tasks.length;
  const dependents = reverse(dependencies, size);
  const durations = guessDurations(
    tasks.map(({ template, key }) => ({ template, durationMs: options.durationMs?.(key) })),
  );
  const groups = new Map<string, number>();
  const extraPools: Record<string, number> = {};
  const machineTasks = tasks.map((task, index): MachineTask => {
    let { pools } = task;
    if (task.maxParallel !== undefined) {
      const pool = `max_parallel of ${task.template}`;
      extraPools[pool] = task.maxParallel;
      pools = { ...pools, [pool]: 1 };
    }
    const group = groups.get(task.template) ?? groups.size;
    groups.set(task.template, group);
    return {
      backend: backends.indexOf(task.backend),
      resources: task.resources,
      pools,
      retries: task.retries,
      requeue: task.requeue,
      allowFailure: task.allowFailure,
      priority: task.priority,
      group,
      failFast: task.failFast,
      grouping: task.actions.length === 0,
      bearsPruned: bearsPruned(task, index, frozen),
      exclusive: task.interactive,
    };
  });
  return {
    extraPools,
    machine: {
      size,
      tasks: machineTasks,
      dependentStart: dependents.start,
      dependents: dependents.targets,
      dependencyCount: Int32Array.from(tasks, (_, task) => neighbours(dependencies, task).length),
      weight: rank(durations, dependents),
      backends: backends.map(
        (name): MachineBackend => ({ local: isLocal(project, name, options) }),
      ),
    },
  };
}

/** Whether the task can do without each one it waits for, should that be a trial ended early. */
function bearsPruned({ deps }: Task, index: number, frozen: Frozen): boolean {
  const { tasks, dependencies, orderOnly } = frozen;
  const others = neighbours(dependencies, index);
  const from = dependencies.start[index] ?? 0;
  const optional = new Map<TaskId, boolean>();
  for (const dep of deps) {
    if (dep.from === undefined) continue;
    optional.set(dep.from, dep.optional && optional.get(dep.from) !== false);
  }
  return others.every((other, position) => {
    const id = tasks[other]?.id;
    return orderOnly[from + position] === 1 || (id !== undefined && optional.get(id) === true);
  });
}

function isLocal(project: PlanProject, name: string, options: PlanOptions): boolean {
  if (options.isLocal !== undefined) return options.isLocal(name);
  const declared = project.backends.find((backend) => backend.name === name);
  return localTypes.has(declared?.use ?? name);
}

/** The same edges, seen from their other end; neighbours in ascending order. */
function reverse({ start, targets }: Adjacency, size: number): Adjacency {
  const from = new Int32Array(targets.length);
  for (let node = 0; node < size; node++) {
    from.fill(node, start[node] ?? 0, start[node + 1] ?? 0);
  }
  return buildAdjacency(size, targets, from);
}

/** The plan as JSON text. Tasks are written as their differences from the first one. */
export function encodePlan(plan: Frozen): string {
  const [first] = plan.tasks;
  const base: Record<string, unknown> = first === undefined ? {} : { ...first };
  const baseText = new Map(
    Object.entries(base).map(([key, value]) => [key, JSON.stringify(value)]),
  );
  const differences = plan.tasks.map((task) => {
    const difference: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(task)) {
      if (value === base[key]) continue;
      if (typeof value === "object" && JSON.stringify(value) === baseText.get(key)) continue;
      // JSON has no undefined; no field of a task is null.
      difference[key] = value === undefined ? null : value;
    }
    for (const key of baseText.keys()) if (!Object.hasOwn(task, key)) difference[key] = null;
    return difference;
  });
  return JSON.stringify({
    project: plan.project,
    base,
    tasks: differences,
    asked: plan.asked,
    start: [...plan.dependencies.start],
    targets: [...plan.dependencies.targets],
    orderOnly: [...plan.orderOnly],
    valuesFiles: plan.valuesFiles,
    temporary: plan.temporary,
  });
}

/** Reads back what {@link encodePlan} wrote; throws when the text is something else. */
export function decodePlan(text: string): Frozen {
  const stored = JSON.parse(text) as {
    project: PlanProject;
    base: Task;
    tasks: Record<string, unknown>[];
    asked: number[];
    start: number[];
    targets: number[];
    orderOnly: number[];
    valuesFiles: Record<string, string>;
    temporary: TemporaryTarget[];
  };
  const tasks = stored.tasks.map((difference): Task => {
    const task: Record<string, unknown> = { ...stored.base, ...difference };
    for (const key in difference) if (difference[key] === null) task[key] = undefined;
    return task as unknown as Task;
  });
  return {
    project: stored.project,
    tasks,
    asked: stored.asked,
    dependencies: {
      start: Int32Array.from(stored.start),
      targets: Int32Array.from(stored.targets),
    },
    orderOnly: Uint8Array.from(stored.orderOnly),
    valuesFiles: stored.valuesFiles,
    temporary: stored.temporary,
  };
}
