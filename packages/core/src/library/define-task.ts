// A task written in a program: what is said, and the defaults for everything else.

import { createHash } from "node:crypto";
import { posix } from "node:path";
import { didYouMean } from "../diagnostics/suggest.ts";
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

/** What a member of a definition must be. */
interface Kind {
  readonly words: string;
  readonly fits: (value: unknown) => boolean;
}

const isText = (value: unknown): boolean => typeof value === "string";
const isList = (value: unknown): boolean => Array.isArray(value) && value.every(isText);
const isMap = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isAmount = (value: unknown): boolean => typeof value === "number" && value >= 0;

const TEXT: Kind = { words: "a text", fits: isText };
const LIST: Kind = { words: "a list of texts", fits: isList };
const MAP: Kind = { words: "an object", fits: isMap };
const FLAG: Kind = { words: "true or false", fits: (value) => typeof value === "boolean" };
const NUMBER: Kind = { words: "a number", fits: Number.isFinite };
const AMOUNT: Kind = { words: "a number from 0", fits: isAmount };
const COUNT: Kind = {
  words: "a whole number from 0",
  fits: (value) => Number.isSafeInteger(value) && isAmount(value),
};
const ACTION: Kind = {
  words: "a function, a command or a list of arguments",
  fits: (value) => typeof value === "function" || isText(value) || isList(value),
};

const KINDS: Readonly<Record<keyof TaskDefinition, Kind>> = {
  deps: LIST,
  targets: LIST,
  after: LIST,
  run: ACTION,
  version: TEXT,
  env: MAP,
  desc: TEXT,
  tags: LIST,
  always: FLAG,
  checkpoint: FLAG,
  retries: COUNT,
  timeoutMs: AMOUNT,
  allowFailure: FLAG,
  priority: NUMBER,
  cpus: AMOUNT,
  memoryBytes: AMOUNT,
  pools: MAP,
  backend: TEXT,
};

/** What is wrong with a definition that no compiler has checked; undefined when it is sound. */
export function definitionProblem(definition: TaskDefinition): string | undefined {
  for (const [name, value] of Object.entries(definition)) {
    if (!Object.hasOwn(KINDS, name)) {
      const guess = didYouMean(name, Object.keys(KINDS));
      return `there is no \`${name}\`${guess === undefined ? "" : `. ${guess}`}`;
    }
    const { words, fits } = KINDS[name as keyof TaskDefinition];
    if (value !== undefined && !fits(value)) return `\`${name}\` must be ${words}`;
  }
  return undefined;
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

/** The path as all that name it write it: without `.`, `..` and doubled or trailing slashes. */
const plain = (path: string): string => posix.normalize(path).replace(/(?<=.)\/$/, "");

function depOf(path: string): Dep {
  const common = { name: undefined, from: undefined, optional: false, span: NOWHERE };
  if (/[*?[{]/.test(path)) return { ...common, kind: "glob", pattern: plain(path) };
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
