// Where things lie under `.flow/`. Nothing else in flow spells these names.

import { join } from "node:path";
import { type AttemptKey, parseAttemptKey, type RunId, type TaskKey } from "../model/ids.ts";

const STATE_DIRECTORY = ".flow";

/** The files and directories of one project's state; every path is absolute. */
export interface Layout {
  readonly root: string;
  readonly state: string;
  readonly locks: string;
  readonly runs: string;
  readonly traces: string;
  readonly cache: string;
  readonly partial: string;
  readonly tasks: string;
  /** Contents of captured code by digest, and its trees. */
  readonly objects: string;
  readonly trees: string;
  /** Folders in which recorded tasks are run again, and tasks are drilled. */
  readonly reruns: string;
  readonly drills: string;
  runLock(run: RunId): string;
  claim(task: TaskKey): string;
  run(run: RunId): string;
  journal(run: RunId): string;
  /** What code the run began with. */
  code(run: RunId): string;
  task(task: TaskKey): string;
  attempts(task: TaskKey): string;
  attempt(key: AttemptKey): string;
  output(task: TaskKey): string;
  checkpoint(task: TaskKey): string;
  /** Holds the number of the task's latest attempt when it was forgotten last. */
  forgotten(task: TaskKey): string;
}

const RUN_LOCK = "run-";
const CLAIM = "task-";

export function layout(root: string): Layout {
  const state = join(root, STATE_DIRECTORY);
  const locks = `${state}/locks`;
  const task = (key: TaskKey): string => `${state}/tasks/${key.slice(0, 2)}/${key}`;
  return {
    root,
    state,
    locks,
    runs: `${state}/runs`,
    traces: `${state}/traces`,
    cache: `${state}/cache`,
    partial: `${state}/partial`,
    tasks: `${state}/tasks`,
    objects: `${state}/objects`,
    trees: `${state}/trees`,
    reruns: `${state}/reruns`,
    drills: `${state}/drill`,
    runLock: (run) => `${locks}/${RUN_LOCK}${run}`,
    claim: (key) => `${locks}/${CLAIM}${key}`,
    run: (run) => `${state}/runs/${run}`,
    journal: (run) => `${state}/runs/${run}/journal.jsonl`,
    code: (run) => `${state}/runs/${run}/code.json`,
    task,
    attempts: (key) => `${task(key)}/attempts`,
    attempt: (key) => {
      const parsed = parseAttemptKey(key);
      if (parsed === undefined) throw new Error(`not an attempt key: ${key}`);
      return `${task(parsed.task)}/attempts/${parsed.serial}`;
    },
    output: (key) => `${task(key)}/out`,
    checkpoint: (key) => `${task(key)}/ckpt`,
    forgotten: (key) => `${task(key)}/forgotten`,
  };
}

/** The run whose lock file has this name; undefined when it is none. */
export const runOfLock = (name: string): RunId | undefined =>
  name.startsWith(RUN_LOCK) ? (name.slice(RUN_LOCK.length) as RunId) : undefined;

/** The task whose claim has this name; undefined when it is none. */
export const taskOfClaim = (name: string): TaskKey | undefined =>
  name.startsWith(CLAIM) ? (name.slice(CLAIM.length) as TaskKey) : undefined;

/** Files of an attempt's directory. */
export const ATTEMPT_FILES = {
  record: "attempt.json",
  result: "result.json",
  started: "started",
  stdout: "stdout",
  stderr: "stderr",
  exit: "exit",
  stop: "stop",
  events: "events.0.jsonl",
  usage: "usage.jsonl",
  accounting: "accounting.json",
  inputs: "inputs.json",
  params: "params.json",
  aside: "aside",
  scratch: "tmp",
  made: "made.json",
  metrics: "metrics.jsonl",
  tags: "tags.json",
} as const;
