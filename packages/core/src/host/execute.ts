// From a plan to its result on this machine: traces, inspector and run put together.

import { uptime } from "node:os";
import type { Backend } from "../backend/backend.ts";
import type { CaptureCode } from "../engine/code-keeper.ts";
import { type Layout, layout as layoutOf } from "../engine/layout.ts";
import { type DamagedJournal, openTraces } from "../engine/open-traces.ts";
import type { RunListener } from "../engine/recorder.ts";
import { Run } from "../engine/run.ts";
import type { EnclosingTask, RunRequest } from "../engine/services.ts";
import type { Plan } from "../graph/plan.ts";
import type { RunId } from "../model/ids.ts";
import type { Task } from "../model/task.ts";
import { nodeClock } from "../ports/node/clock.ts";
import { nodeFileSystem } from "../ports/node/file-system.ts";
import { CodeCapturer, hasCode, productsOf } from "../snapshot/capture.ts";
import { Inspector } from "../trace/inspect.ts";
import type { TraceStore } from "../trace/store.ts";
import { runCheckCommand } from "./check-command.ts";
import { nodePorts } from "./node-ports.ts";
import { newRunId } from "./run-id.ts";
import { Surroundings } from "./surroundings.ts";

/** What decides which tasks are stale. */
export interface FreshnessOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isForced?: (task: Task) => boolean;
  readonly rebuildModified?: boolean;
  readonly strict?: boolean;
}

export interface ExecuteOptions extends FreshnessOptions {
  /** Absent: a new one. */
  readonly run?: RunId | undefined;
  /** The task whose program asks for the run; absent: none. */
  readonly inside?: EnclosingTask | undefined;
  readonly backends: ReadonlyMap<string, Backend>;
  readonly slots: number | undefined;
  /** Folder that holds `flow_task.py` and nothing else; put on PYTHONPATH. Absent: programs do without. */
  readonly helperFolder?: string | undefined;
  readonly keepGoing: boolean;
  readonly failFast: boolean;
  readonly version: string;
  /** Flow file relative to the root, for display. */
  readonly file: string;
  readonly evaluate: RunRequest["evaluate"];
  readonly position: RunRequest["position"];
  readonly listeners: readonly RunListener[];
  /** The code that the tasks see; absent: found out from the project's folder. */
  readonly captureCode?: CaptureCode | undefined;
}

/** What a project has on record, opened for reading. */
export interface ProjectState {
  readonly layout: Layout;
  readonly traces: TraceStore;
  readonly damaged: readonly DamagedJournal[];
}

/** Never writes. `root` is absolute. */
export function openState(root: string): ProjectState {
  const layout = layoutOf(root);
  return { layout, ...openTraces(layout, nodeFileSystem) };
}

/** Judges the plan's tasks against what is on record. */
export function openInspector(
  plan: Plan,
  state: ProjectState,
  options: FreshnessOptions,
): Inspector {
  const { root, ignore } = plan.project;
  return new Inspector({
    root,
    ignore,
    fileSystem: nodeFileSystem,
    wall: () => nodeClock.wall(),
    sleep: (milliseconds) => nodeClock.sleep(milliseconds),
    bootedAt: nodeClock.wall() - uptime() * 1000,
    env: options.env,
    traces: state.traces,
    valuesFile: (task) => plan.valuesFiles[task],
    temporary: plan.temporary,
    runCommand: (command) => runCheckCommand(root, command),
    ...(options.isForced === undefined ? {} : { isForced: options.isForced }),
    rebuildModified: options.rebuildModified ?? false,
    strict: options.strict ?? false,
  });
}

/** A run that is ready to be executed. */
export interface PreparedRun {
  readonly run: Run;
  readonly inspector: Inspector;
}

export function prepareRun(plan: Plan, state: ProjectState, options: ExecuteOptions): PreparedRun {
  const inspector = openInspector(plan, state, options);
  const { backends, slots, keepGoing, failFast, version, file, evaluate, position, listeners } =
    options;
  const run = new Run({
    run: options.run ?? newRunId(nodeClock.wall()),
    inside: options.inside,
    plan,
    backends,
    inspector,
    traces: state.traces,
    layout: state.layout,
    ports: nodePorts,
    slots,
    keepGoing,
    failFast,
    pythonPath: pythonPath(options),
    version,
    file,
    evaluate,
    position,
    listeners,
    captureCode: options.captureCode ?? captureOf(plan, state),
    surroundings: new Surroundings(state.layout, options.env),
  });
  return { run, inspector };
}

/** Undefined where code is not recorded. What tasks made that are not in the plan is known from their traces. */
function captureOf({ project, tasks }: Plan, { traces }: ProjectState): RunRequest["captureCode"] {
  if (!hasCode(project)) return undefined;
  const made = traces
    .keys()
    .flatMap((key) => traces.get(key)?.targets.map(({ path }) => path) ?? []);
  const products = [...new Set([...productsOf(tasks), ...made])].sort();
  const capturer = new CodeCapturer({ root: project.root, code: project.code, products });
  return (keep) => capturer.capture(keep);
}

function pythonPath({ helperFolder, env }: ExecuteOptions): string | undefined {
  const paths = [helperFolder, env["PYTHONPATH"]].filter(
    (path) => path !== undefined && path !== "",
  );
  return helperFolder === undefined ? undefined : paths.join(":");
}
