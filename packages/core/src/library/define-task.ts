// A task written in a program: what is said, and the defaults for everything else.

import { createHash } from "node:crypto";
import { taskId, taskKey } from "../model/ids.ts";
import { NO_RESOURCES, type ResourceRequest } from "../model/resources.ts";
import type { Action, Dep, RetryPolicy, Span, Target, Task } from "../model/task.ts";
import { FUNCTIONS, type TaskFunction } from "./function-backend.ts";

/** A task of a graph built in a program. Paths are relative to the root; a trailing `/` is a directory. */
export interface TaskDefinition {
  readonly deps?: readonly string[];
  readonly targets?: readonly string[];
  /** Names of tasks that are done first. */
  readonly after?: readonly string[];
  /** A function of this program, a shell command, or a program with its arguments. Absent: groups others. */
  readonly run?: TaskFunction | string | readonly string[];
  /** Part of the fingerprint of a function beside its source: raise it when what it calls changes. */
  readonly version?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly desc?: string;
  readonly tags?: readonly string[];
  readonly always?: boolean;
  readonly checkpoint?: boolean;
  readonly retries?: number;
  readonly timeoutMs?: number;
  readonly allowFailure?: boolean;
  readonly priority?: number;
  readonly cpus?: number;
  readonly memoryBytes?: number;
  readonly pools?: Readonly<Record<string, number>>;
  /** Where commands run. @default "local" */
  readonly backend?: string;
}

const NOWHERE: Span = { file: 0, start: 0, end: 0 };

const NO_RETRIES: RetryPolicy = {
  max: 0,
  causes: [],
  backoffMs: 0,
  backoffMaxMs: 0,
  escalate: {},
};

/** Time a stopped program gets before it is killed. */
const GRACE_MS = 10_000;

/** The task of this name. `file` names the graph and is part of the task's identity. */
export function defineTask(name: string, definition: TaskDefinition, file: string): Task {
  const { run } = definition;
  const key = createHash("sha256").update(`${file}\0${name}`).digest("hex").slice(0, 16);
  return {
    id: taskId(name),
    key: taskKey(key),
    template: name,
    axes: {},
    slug: encodeURIComponent(name),
    aliases: [],
    tags: definition.tags ?? [],
    desc: definition.desc,
    hidden: false,
    file,
    span: NOWHERE,
    deps: (definition.deps ?? []).map(depOf),
    after: (definition.after ?? []).map(taskId),
    uses: [],
    track: [],
    targets: (definition.targets ?? []).map(targetOf),
    outputs: {},
    checkpoint: definition.checkpoint === true ? { path: undefined, keep: false } : undefined,
    metrics: [],
    values: undefined,
    protect: false,
    actions: run === undefined ? [] : [actionOf(run, definition.version)],
    finally: [],
    env: definition.env ?? {},
    cwd: "",
    interactive: false,
    params: {},
    budget: [],
    budgetValues: {},
    always: definition.always ?? false,
    frozen: false,
    fresh: undefined,
    when: undefined,
    require: [],
    retries: { ...NO_RETRIES, max: definition.retries ?? 0 },
    requeue: { mode: "auto", codes: [], max: undefined, delayMs: 0 },
    timeoutMs: definition.timeoutMs,
    hangAfterMs: undefined,
    stop: { signal: "SIGTERM", graceMs: GRACE_MS },
    allowFailure: definition.allowFailure ?? false,
    priority: definition.priority ?? 0,
    resources: resourcesOf(definition),
    pools: definition.pools ?? {},
    maxParallel: undefined,
    failFast: false,
    backend: typeof run === "function" ? FUNCTIONS : (definition.backend ?? "local"),
    backendOptions: {},
    container: undefined,
    mounts: {},
    clean: { kind: "targets" },
  };
}

/** The path without `./` and trailing slashes. */
const plain = (path: string): string => path.replace(/^(\.\/)+/, "").replace(/\/+$/, "");

function depOf(path: string): Dep {
  const common = { name: undefined, from: undefined, optional: false, span: NOWHERE };
  if (/[*?[{]/.test(path)) return { ...common, kind: "glob", pattern: path };
  const kind = path.endsWith("/") ? "directory" : "file";
  return { ...common, kind, path: plain(path), check: "content", external: path.startsWith("/") };
}

const targetOf = (path: string): Target => ({
  name: undefined,
  kind: path.endsWith("/") ? "directory" : "file",
  path: plain(path),
  nonempty: false,
  sha256: undefined,
  optional: false,
  update: false,
  untilUsed: false,
  span: NOWHERE,
});

function actionOf(run: NonNullable<TaskDefinition["run"]>, version = ""): Action {
  const common = {
    shell: "sh" as const,
    cwd: undefined,
    env: {},
    timeoutMs: undefined,
    okExit: [0],
    stdin: undefined,
    span: NOWHERE,
  };
  if (typeof run === "string")
    return { ...common, kind: "shell", text: run, argv: [], recipe: run };
  if (typeof run === "function") {
    const recipe = `function ${version}\n${run.toString()}`;
    return { ...common, kind: "exec", text: "", argv: [run.name || "function"], recipe };
  }
  return { ...common, kind: "exec", text: "", argv: run, recipe: JSON.stringify(run) };
}

const resourcesOf = ({ cpus, memoryBytes }: TaskDefinition): ResourceRequest => ({
  ...NO_RESOURCES,
  cpusMilli: cpus === undefined ? undefined : Math.round(cpus * 1000),
  memoryBytes,
});
