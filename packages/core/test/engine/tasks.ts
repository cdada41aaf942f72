// Tasks and projects written by hand, for tests that need no flow file.

import { createHash } from "node:crypto";
import { taskId, taskKey } from "../../src/model/ids.ts";
import type { Project } from "../../src/model/project.ts";
import { NO_RESOURCES } from "../../src/model/resources.ts";
import type { Action, Dep, Span, Target, Task } from "../../src/model/task.ts";

const span: Span = { file: 0, start: 0, end: 0 };

export const shell = (text: string): Action => ({
  kind: "shell",
  text,
  argv: [],
  shell: "sh",
  cwd: undefined,
  env: {},
  timeoutMs: undefined,
  okExit: [0],
  stdin: undefined,
  recipe: text,
  span,
});

const fileDep = (path: string): Dep => ({
  kind: "file",
  path,
  check: "content",
  external: false,
  name: undefined,
  from: undefined,
  optional: false,
  span,
});

const UNTIL_USED = " until used";

/** A target; with ` until used` behind its path a temporary one. */
const fileTarget = (text: string): Target => ({
  kind: "file",
  path: text.replace(UNTIL_USED, ""),
  name: undefined,
  nonempty: false,
  sha256: undefined,
  optional: false,
  update: false,
  untilUsed: text.endsWith(UNTIL_USED),
  span,
});

export interface Sketch extends Partial<Omit<Task, "deps" | "targets" | "actions">> {
  readonly deps?: readonly string[];
  readonly targets?: readonly string[];
  readonly run?: string;
}

/** A task with everything at its default but what is said. */
export function task(name: string, sketch: Sketch = {}): Task {
  const { deps = [], targets = [], run, ...rest } = sketch;
  const key = createHash("sha256").update(`flow.yaml\0${name}`).digest("hex").slice(0, 16);
  return {
    id: taskId(name),
    key: taskKey(key),
    template: name,
    axes: {},
    slug: name,
    aliases: [],
    tags: [],
    desc: undefined,
    hidden: false,
    file: "flow.yaml",
    span,
    deps: deps.map(fileDep),
    after: [],
    uses: [],
    track: [],
    targets: targets.map(fileTarget),
    outputs: {},
    checkpoint: undefined,
    metrics: [],
    values: undefined,
    protect: false,
    actions: run === undefined ? [] : [shell(run)],
    finally: [],
    env: {},
    cwd: "",
    interactive: false,
    params: {},
    budget: [],
    budgetValues: {},
    always: false,
    frozen: false,
    fresh: undefined,
    when: undefined,
    require: [],
    retries: { max: 0, causes: [], backoffMs: 0, backoffMaxMs: 0, escalate: {} },
    requeue: { mode: "auto", codes: [], max: undefined, delayMs: 0 },
    timeoutMs: undefined,
    hangAfterMs: undefined,
    stop: { signal: "SIGTERM", graceMs: 1000 },
    allowFailure: false,
    priority: 0,
    resources: NO_RESOURCES,
    pools: {},
    maxParallel: undefined,
    failFast: false,
    backend: "local",
    backendOptions: {},
    container: undefined,
    mounts: {},
    clean: { kind: "targets" },
    ...rest,
  };
}

export const project = (root: string, tasks: readonly Task[]): Project => ({
  name: "test",
  description: undefined,
  root,
  file: `${root}/flow.yaml`,
  sources: ["flow.yaml"],
  workspace: undefined,
  experiment: undefined,
  tasks,
  default: [],
  jobs: undefined,
  pools: {},
  backends: [],
  secrets: [],
  compat: ["xt", "batchai"],
  ignore: [],
  code: { include: [], omit: [] },
  params: {},
});
