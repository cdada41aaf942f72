// The JSON Schema of `--output json`: one object per line. Readers ignore members and types they do
// not know; both may be added.

import type { RunEventBody } from "@flow/core";
import { JSON_VERSION } from "./json.ts";

type Schema = Readonly<Record<string, unknown>>;
type Members = Readonly<Record<string, Schema>>;

const text: Schema = { type: "string" };
const whole: Schema = { type: "integer" };
const number: Schema = { type: "number" };
const flag: Schema = { type: "boolean" };
const list = (items: Schema): Schema => ({ type: "array", items });
const oneOf = (...values: readonly string[]): Schema => ({ enum: values });
const described = (schema: Schema, description: string): Schema => ({ ...schema, description });

/** An object that needs all its members but the optional ones. */
const object = (members: Members, optional: Members = {}): Schema => ({
  type: "object",
  properties: { ...members, ...optional },
  required: Object.keys(members),
});

const MILLISECONDS = described(number, "milliseconds");
const TASK: Members = {
  task: described(text, "the task's name, with axes"),
  template: described(text, "its name without axes"),
};
const RESTART = oneOf(
  "first",
  "requeue",
  "preempt",
  "deadline",
  "retry",
  "host-lost",
  "manual",
  "promote",
);
const OUTCOME = object(
  { type: oneOf("success", "failed", "oom", "requeue", "interrupted", "cancelled", "pruned") },
  {
    kind: described(text, "of a failure: exit, signal, timeout, target-missing, …"),
    code: whole,
    signal: text,
    device: oneOf("memory", "gpu"),
    cause: text,
    resumable: flag,
    message: text,
  },
);
const USAGE = object({}, { cpuSeconds: number, peakMemoryBytes: whole, gpuPeakMemoryBytes: whole });
const COUNTS = object(
  Object.fromEntries(
    [
      "total",
      "fresh",
      "done",
      "failed",
      "allowedFailures",
      "blocked",
      "cancelled",
      "skipped",
      "pruned",
      "unknown",
    ].map((name) => [name, whole]),
  ),
);

interface EventShape {
  readonly description: string;
  readonly members: Members;
  readonly optional?: Members;
}

const SHAPES: Readonly<Record<RunEventBody["type"], EventShape>> = {
  "run/started": {
    description: "The first event.",
    members: {
      file: text,
      root: described(text, "absolute path of the project"),
      templates: list(object({ name: text, size: whole })),
      total: described(whole, "tasks of the plan"),
    },
    optional: {
      slots: described(whole, "tasks at once"),
      estimateMs: described(
        { ...list(number), minItems: 2, maxItems: 2 },
        "from past durations: if only what must run does, and if everything does",
      ),
    },
  },
  "task/fresh": { description: "Nothing to do for it.", members: TASK },
  "task/skipped": {
    description: "Left out by its `when`.",
    members: { ...TASK, condition: text },
  },
  "task/stale": {
    description: "It will run, for these reasons.",
    members: { ...TASK, reasons: list(text) },
  },
  "task/started": {
    description: "An attempt runs.",
    members: {
      ...TASK,
      attempt: whole,
      reason: RESTART,
      backend: text,
      stdout: described(text, "path of the log"),
      stderr: described(text, "path of the log"),
    },
    optional: {
      node: text,
      adoptedSince: described(number, "found alive from an earlier run; unix ms of its start"),
    },
  },
  "task/waiting": {
    description: "Ready, but there is no room for it: what it is short of, and who holds that.",
    members: { ...TASK, why: text },
  },
  "task/queued": {
    description: "Handed over, but it does not run yet.",
    members: TASK,
    optional: { why: text },
  },
  "task/progress": {
    description: "What the program says about its progress.",
    members: TASK,
    optional: { done: number, total: number, unit: text, message: text },
  },
  "task/metrics": {
    description: "Numbers the program reports.",
    members: { ...TASK, values: { type: "object", additionalProperties: number } },
    optional: { step: number },
  },
  "task/unknown": {
    description: "It cannot be told what became of it, for some time already; nothing is assumed.",
    members: { ...TASK, why: text },
  },
  "task/known": {
    description: "It can be told again how a task is that was unknown: it goes on.",
    members: { ...TASK, at: { type: "string", enum: ["queued", "running"] } },
  },
  "task/held": {
    description:
      "Another run is doing it, or is at a task that makes or reads the same files; this one waits for that.",
    members: { ...TASK, by: text },
    optional: { at: described(text, "the other task; absent: the same") },
  },
  "task/again": {
    description: "Not over: it will be tried again.",
    members: { ...TASK, reason: RESTART, delayMs: MILLISECONDS, outcome: OUTCOME },
    optional: { retry: object({ number: whole, max: whole }) },
  },
  "task/done": {
    description: "It succeeded and its targets are there.",
    members: { ...TASK, attempt: whole, durationMs: MILLISECONDS },
    optional: { usage: USAGE },
  },
  "task/failed": {
    description: "It failed for good.",
    members: { ...TASK, attempt: whole, outcome: OUTCOME, allowed: flag, blocks: list(text) },
    optional: {
      durationMs: MILLISECONDS,
      command: text,
      position: described(text, "file:line"),
      stdout: text,
      stderr: text,
    },
  },
  "task/blocked": {
    description: "It cannot run because another one failed.",
    members: { ...TASK, by: text },
  },
  "task/cancelled": {
    description: "It was stopped, or will not start any more.",
    members: { ...TASK, reason: text },
  },
  "task/pruned": { description: "Stopped early as not promising.", members: TASK },
  "target/removed": {
    description: "A target with `keep: until_used` is gone: everything that uses it is done.",
    members: { ...TASK, path: text },
  },
  warning: {
    description: "Worth knowing; changes no result. `task` is empty when it is about the run.",
    members: { task: text, message: text },
  },
  "run/stopping": {
    description: "Running tasks are asked to stop, or killed.",
    members: { how: oneOf("graceful", "forced"), running: whole, graceMs: MILLISECONDS },
  },
  "run/ended": {
    description: "The last event.",
    members: { counts: COUNTS, exitCode: described(whole, "the exit code of flow") },
  },
};

/** JSON Schema (2020-12) of one line. */
export function eventSchema(): Schema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "An event of a run of flow, one per line of `flow run --output json`",
    ...object({
      v: { const: JSON_VERSION, description: "changes when a member changes its meaning" },
      seq: described(whole, "counts up from 1"),
      t: { type: "string", format: "date-time" },
      elapsedMs: described(number, "milliseconds since the run began, monotonic"),
      run: text,
      type: text,
    }),
    oneOf: Object.entries(SHAPES).map(([type, { description, members, optional }]) => ({
      description,
      ...object({ type: { const: type }, ...members }, optional),
    })),
  };
}
