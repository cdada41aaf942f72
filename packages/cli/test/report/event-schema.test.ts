import type { RunEvent, RunEventBody } from "@flow/core";
import { runId, type TaskId } from "@flow/core";
import { describe, expect, it } from "vitest";
import { eventSchema } from "../../src/report/event-schema.ts";
import { jsonLine } from "../../src/report/json.ts";
import { type JsonSchema, violations } from "./json-schema.ts";
import { done, ended, failed, ref, started, taskStarted } from "./run-events.ts";

/** One of each type; adding a type without an example does not compile. */
const EXAMPLES: { readonly [T in RunEventBody["type"]]: Extract<RunEventBody, { type: T }> } = {
  "run/started": started({ a: 2 }, { slots: 4, estimateMs: [1, 2] }) as Extract<
    RunEventBody,
    { type: "run/started" }
  >,
  "task/fresh": { type: "task/fresh", ...ref("a") },
  "task/skipped": { type: "task/skipped", ...ref("a"), condition: "params.gpu" },
  "task/stale": { type: "task/stale", ...ref("a"), reasons: ["never ran"] },
  "task/started": taskStarted("a") as Extract<RunEventBody, { type: "task/started" }>,
  "task/waiting": { type: "task/waiting", ...ref("a"), why: "cpus: 4 of 4 needed, 1 free" },
  "task/queued": { type: "task/queued", ...ref("a"), why: undefined },
  "task/progress": {
    type: "task/progress",
    ...ref("a"),
    done: 1,
    total: 2,
    unit: undefined,
    message: undefined,
  },
  "task/metrics": { type: "task/metrics", ...ref("a"), step: 1, values: { loss: 0.5 } },
  "task/known": { type: "task/known", ...ref("a"), at: "running" },
  "task/unknown": { type: "task/unknown", ...ref("a"), why: "no answer" },
  "task/held": {
    type: "task/held",
    ...ref("a"),
    by: runId("20261121-100000-k3f9"),
    at: "b" as TaskId,
  },
  "task/again": {
    type: "task/again",
    ...ref("a"),
    reason: "requeue",
    delayMs: 0,
    outcome: { type: "requeue", code: 75, message: "asked to be requeued" },
    retry: undefined,
  },
  "task/done": done("a", 12) as Extract<RunEventBody, { type: "task/done" }>,
  "task/failed": failed("a"),
  "task/blocked": { type: "task/blocked", ...ref("b"), by: "a" },
  "task/cancelled": { type: "task/cancelled", ...ref("a"), reason: "user" },
  "task/pruned": { type: "task/pruned", ...ref("a") },
  "target/removed": { type: "target/removed", ...ref("a"), path: "big.bin" },
  warning: { type: "warning", task: "", message: "hm" },
  "run/stopping": { type: "run/stopping", how: "graceful", running: 2, graceMs: 30_000 },
  "run/ended": ended(1, {}) as Extract<RunEventBody, { type: "run/ended" }>,
};

const common = { seq: 1, wall: 0, elapsedMs: 0.5 };

/** The event as a reader gets it. */
function written(body: RunEventBody): Record<string, unknown> {
  const event: RunEvent = { ...common, ...body };
  const line = jsonLine(event, "20261121-100000-k3f9", (text) => text);
  return JSON.parse(line) as Record<string, unknown>;
}

describe("the schema of JSON lines", () => {
  const schema = eventSchema() as JsonSchema;

  it.each(Object.entries(EXAMPLES))("accepts what is written for %s", (_type, body) => {
    expect(violations(schema, written(body))).toEqual([]);
  });

  it.each(Object.entries(EXAMPLES))("names every member of %s", (type, body) => {
    const { oneOf, properties } = eventSchema() as unknown as {
      properties: object;
      oneOf: { properties: Record<string, { const?: string }> }[];
    };
    const shape = oneOf.find((each) => each.properties["type"]?.const === type);
    const known = [...Object.keys(properties), ...Object.keys(shape?.properties ?? {})];
    expect(known).toEqual(expect.arrayContaining(Object.keys(written(body))));
  });

  it.each([
    [{ v: 2 }],
    [{ type: "task/vanished" }],
    [{ durationMs: "12" }],
    [{ attempt: undefined }],
  ])("refuses a line with %j", (change) => {
    const line = { ...written(EXAMPLES["task/done"]), ...change };
    expect(violations(schema, line)).not.toEqual([]);
  });
});
