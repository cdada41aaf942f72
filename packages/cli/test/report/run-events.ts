// Runs told event by event, for the tests of screens.

import { type RunCounts, type RunEvent, type RunEventBody, runId } from "@flow/core";

const NO_COUNTS: RunCounts = {
  total: 0,
  fresh: 0,
  done: 0,
  failed: 0,
  allowedFailures: 0,
  blocked: 0,
  cancelled: 0,
  skipped: 0,
  pruned: 0,
  unknown: 0,
};

/** 10:00:00 local time of some day. */
const MORNING = new Date(2026, 10, 21, 10, 0, 0).getTime();

/** Numbers events and gives them times; `at` is in milliseconds into the run. */
export function script(): (at: number, body: RunEventBody) => RunEvent {
  let seq = 0;
  return (at, body) => {
    seq += 1;
    return { seq, wall: MORNING + at, elapsedMs: at, ...body };
  };
}

const template = (task: string): string => task.split("@")[0] ?? task;

export const ref = (task: string): { task: string; template: string } => ({
  task,
  template: template(task),
});

export function started(
  templates: Readonly<Record<string, number>>,
  options: { readonly slots?: number; readonly estimateMs?: readonly [number, number] } = {},
): RunEventBody {
  return {
    type: "run/started",
    run: runId("20261121-100000-k3f9"),
    file: "mnist.flow.yaml",
    root: "/project",
    templates: Object.entries(templates).map(([name, size]) => ({ name, size })),
    total: Object.values(templates).reduce((a, b) => a + b, 0),
    slots: options.slots,
    estimateMs: options.estimateMs,
  };
}

export function taskStarted(task: string, logs = "/project/.flow/x"): RunEventBody {
  return {
    type: "task/started",
    ...ref(task),
    attempt: 1,
    reason: "first",
    backend: "local",
    node: undefined,
    stdout: `${logs}/stdout`,
    stderr: `${logs}/stderr`,
    adoptedSince: undefined,
  };
}

export const done = (task: string, durationMs: number): RunEventBody => ({
  type: "task/done",
  ...ref(task),
  attempt: 1,
  durationMs,
  usage: undefined,
});

type Failed = Extract<RunEventBody, { type: "task/failed" }>;

export const failed = (task: string, change: Partial<Failed> = {}): Failed => ({
  type: "task/failed",
  ...ref(task),
  attempt: 1,
  durationMs: 2300,
  outcome: { type: "failed", kind: "exit", code: 1, signal: undefined, message: "exit 1" },
  allowed: false,
  command: "python train.py --lr 0.1",
  position: "mnist.flow.yaml:31",
  stdout: "/project/.flow/x/stdout",
  stderr: "/project/.flow/x/stderr",
  blocks: [],
  ...change,
});

export const ended = (exitCode: number, counts: Partial<RunCounts>): RunEventBody => ({
  type: "run/ended",
  counts: { ...NO_COUNTS, ...counts },
  exitCode,
});
