// flow as a library: a graph built in a program, its actions functions or commands, run with the
// same engine, records and guarantees as a flow file.

import { availableParallelism, totalmem } from "node:os";
import { resolve } from "node:path";
import type { Backend } from "../backend/backend.ts";
import type { BackendPlugin } from "../backend/plugin.ts";
import { renderDiagnostics } from "../diagnostics/render.ts";
import type { RunListener } from "../engine/recorder.ts";
import type { RunResult } from "../engine/run.ts";
import { openState, prepareRun } from "../host/execute.ts";
import { backendName } from "../model/ids.ts";
import type { Project } from "../model/project.ts";
import type { Task } from "../model/task.ts";
import { silentLog } from "../ports/log.ts";
import { nodeClock } from "../ports/node/clock.ts";
import { nodeFileSystem } from "../ports/node/file-system.ts";
import { defineTask, definitionProblem, type TaskDefinition } from "./define-task.ts";
import { FUNCTIONS, FunctionBackend, type TaskFunction } from "./function-backend.ts";

export interface FlowOptions {
  /** The project's root; `.flow/` lies here. Relative to the working directory. */
  readonly root: string;
  /** Names the graph; two graphs in one root need two names. @default "flow" */
  readonly name?: string;
  /** Name → capacity. */
  readonly pools?: Readonly<Record<string, number>>;
}

export interface RunOptions {
  /** Selectors, as on the command line; none: every task. */
  readonly select?: readonly string[];
  /** Tasks at once; absent: cpus decide. */
  readonly jobs?: number;
  readonly keepGoing?: boolean;
  /** Run the selected tasks even if they are fresh. */
  readonly force?: boolean;
  /** Backends for commands, by name: `{ local }` from `@flow/backend-local`. */
  readonly backends?: Readonly<Record<string, BackendPlugin>>;
  /** Called for each event, in order. It cannot change the run. */
  readonly onEvent?: RunListener;
  /** Aborting it is the first Ctrl-C. */
  readonly signal?: AbortSignal;
}

/** A graph under construction. */
export interface Flow {
  /** Adds a task; the name must be new. */
  task(name: string, definition: TaskDefinition): Flow;
  /** Runs what is not fresh. Rejects with {@link FlowError} when the graph is wrong; a failed task is a result. */
  run(options?: RunOptions): Promise<RunResult>;
}

/** What is wrong with a graph or its backends, in words. */
export class FlowError extends Error {
  override readonly name = "FlowError";
}

export function flow(options: FlowOptions): Flow {
  const root = resolve(options.root);
  const name = options.name ?? "flow";
  const tasks = new Map<string, Task>();
  const functions = new Map<string, TaskFunction>();
  const graph: Flow = {
    task(taskName, definition) {
      if (!/^[A-Za-z_][A-Za-z0-9_.@=,-]*$/.test(taskName)) {
        throw new FlowError(
          `\`${taskName}\` is no name for a task: letters, digits and _.-@=, only`,
        );
      }
      if (tasks.has(taskName)) throw new FlowError(`there are two tasks called \`${taskName}\``);
      const problem = definitionProblem(definition);
      if (problem !== undefined) throw new FlowError(`the task \`${taskName}\`: ${problem}`);
      tasks.set(taskName, defineTask(taskName, definition, name));
      if (typeof definition.run === "function") functions.set(taskName, definition.run);
      return graph;
    },
    run: (runOptions = {}) =>
      runGraph(projectOf(root, name, [...tasks.values()], options), functions, runOptions),
  };
  return graph;
}

async function runGraph(
  project: Project,
  functions: ReadonlyMap<string, TaskFunction>,
  options: RunOptions,
): Promise<RunResult> {
  if (nodeFileSystem.stat(project.root)?.kind !== "directory") {
    throw new FlowError(`the root ${project.root} is no folder`);
  }
  const plan = await planOf(project, options.select ?? []);
  const state = openState(project.root);
  const backends = await openBackends(plan.backends, project.root, functions, options);
  const asked = new Set(plan.asked.map((index) => plan.tasks[index]?.key));
  const { run } = prepareRun(plan, state, {
    env: process.env,
    backends,
    isForced: (task) => options.force === true && asked.has(task.key),
    slots: options.jobs,
    keepGoing: options.keepGoing ?? false,
    failFast: false,
    version: "library",
    file: project.name ?? "flow",
    evaluate: () => ({ holds: true }),
    position: () => undefined,
    listeners: options.onEvent === undefined ? [] : [options.onEvent],
  });
  const stop = (): void => run.stop("graceful", "user");
  options.signal?.addEventListener("abort", stop, { once: true });
  try {
    return await run.execute();
  } finally {
    options.signal?.removeEventListener("abort", stop);
    for (const backend of backends.values()) await backend[Symbol.asyncDispose]();
  }
}

async function planOf(
  project: Project,
  selectors: readonly string[],
): Promise<ReturnType<typeof import("../graph/plan.ts").compilePlan>> {
  const [{ buildGraph }, { select }, { compilePlan }] = await Promise.all([
    import("../graph/build.ts"),
    import("../graph/select.ts"),
    import("../graph/plan.ts"),
  ]);
  const graph = buildGraph(project, nodeFileSystem);
  if (!graph.ok) throw new FlowError(renderDiagnostics(graph.error, []));
  const selection = select(graph.value, selectors);
  if (!selection.ok) throw new FlowError(renderDiagnostics(selection.error, []));
  const local = new Set(["local", "gpu", FUNCTIONS]);
  return compilePlan(graph.value, selection.value, { isLocal: (name) => local.has(name) });
}

async function openBackends(
  names: readonly string[],
  root: string,
  functions: ReadonlyMap<string, TaskFunction>,
  options: RunOptions,
): Promise<ReadonlyMap<string, Backend>> {
  const opened = new Map<string, Backend>();
  for (const name of names) {
    if (name === FUNCTIONS) {
      opened.set(name, new FunctionBackend(functions, thisMachine()));
      continue;
    }
    const plugin = options.backends?.[name];
    if (plugin === undefined) {
      throw new FlowError(
        `a task runs on the backend \`${name}\`, which was not given; pass \`backends: { ${name} }\` to run()`,
      );
    }
    const parsed = plugin.parseOptions({});
    if (!parsed.ok) throw new FlowError(parsed.error.map(({ message }) => message).join(" "));
    const backend = await plugin.open({
      name: backendName(name),
      options: parsed.value,
      root,
      stateDirectory: `${root}/.flow`,
      ports: { clock: nodeClock, log: silentLog, env: process.env },
    });
    if (!backend.ok) throw new FlowError(backend.error);
    opened.set(name, backend.value);
  }
  return opened;
}

const thisMachine = (): ReturnType<Backend["limits"]> => ({
  slots: undefined,
  cpusMilli: availableParallelism() * 1000,
  memoryBytes: totalmem(),
  pools: {},
});

const projectOf = (
  root: string,
  name: string,
  tasks: readonly Task[],
  { pools }: FlowOptions,
): Project => ({
  name,
  description: undefined,
  root,
  file: `${root}/${name}`,
  sources: [],
  workspace: undefined,
  experiment: undefined,
  tasks,
  default: [],
  jobs: undefined,
  pools: pools ?? {},
  backends: [],
  secrets: [],
  compat: ["xt", "batchai"],
  ignore: [],
  code: { include: [], omit: [] },
  params: {},
});
