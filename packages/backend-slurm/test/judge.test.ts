/** What an attempt's files and the scheduler's list mean together. */
import type { ExitRecord } from "@flow/task-py";
import { describe, expect, it } from "vitest";
import type { Incarnation } from "../src/attempt/files.ts";
import { type Evidence, judge, SETTLE_MS } from "../src/attempt/judge.ts";
import { meaningOf, neverStarts, STATES } from "../src/schedulers/slurm/states.ts";
import type { Row } from "../src/schedulers/scheduler.ts";

const row = (state: string, more: Partial<Row> = {}): Row => {
  const { phase, cause, cancelled, stuck } = meaningOf(state);
  return {
    name: "flow-x",
    index: 0,
    id: "1",
    restarts: 0,
    why: undefined,
    node: "n1",
    state,
    phase,
    cause,
    cancelled: cancelled === true,
    stuck: stuck === true,
    ...more,
  };
};

const unstarted: Incarnation = {
  restart: 0,
  started: undefined,
  fenced: false,
  startedAt: undefined,
  exit: undefined,
  requeued: false,
};
const started: Incarnation = { ...unstarted, started: { pid: 1, host: "n1" }, startedAt: 1000 };
const exit = (code: number, more: Partial<ExitRecord> = {}): ExitRecord => ({
  code,
  signal: 0,
  action: 1,
  leaky: 0,
  ...more,
});
const evidence = (more: Partial<Evidence>): Evidence => ({
  row: undefined,
  incarnation: started,
  stop: undefined,
  unchangedMs: SETTLE_MS * 3,
  trouble: "no answer",
  ...more,
});

describe("states", () => {
  const outcomes: Readonly<Record<string, object>> = {
    BOOT_FAIL: { type: "ended", exit: { cause: "node-failed" } },
    CANCELLED: { type: "ended", exit: { cause: undefined, stopped: "user", signal: "SIGKILL" } },
    COMPLETED: { type: "ended", exit: { cause: "lost" } },
    COMPLETING: { type: "running" },
    CONFIGURING: { type: "queued" },
    DEADLINE: { type: "ended", exit: { cause: "time-limit" } },
    EXPEDITING: { type: "queued" },
    FAILED: { type: "ended", exit: { cause: "lost" } },
    LAUNCH_FAILED: { type: "ended", exit: { cause: "node-failed" } },
    NODE_FAIL: { type: "ended", exit: { cause: "node-failed" } },
    OUT_OF_MEMORY: { type: "ended", exit: { cause: "out-of-memory" } },
    PENDING: { type: "queued" },
    POWER_UP_NODE: { type: "queued" },
    PREEMPTED: { type: "ended", exit: { cause: "preempted" } },
    RECONFIG_FAIL: { type: "ended", exit: { cause: "node-failed" } },
    REQUEUED: { type: "queued" },
    REQUEUE_FED: { type: "queued" },
    REQUEUE_HOLD: { type: "queued", why: "it will not start by itself: REQUEUE_HOLD" },
    RESIZING: { type: "running" },
    RESV_DEL_HOLD: { type: "queued", why: "it will not start by itself: RESV_DEL_HOLD" },
    REVOKED: { type: "ended", exit: { cause: "lost" } },
    RUNNING: { type: "running" },
    SIGNALING: { type: "running" },
    SPECIAL_EXIT: { type: "queued", why: "it will not start by itself: SPECIAL_EXIT" },
    STAGE_OUT: { type: "running" },
    STOPPED: { type: "running" },
    SUSPENDED: { type: "running" },
    TIMEOUT: { type: "ended", exit: { cause: "time-limit" } },
    UPDATE_DB: { type: "running" },
  };

  it("every one has a meaning, and the list is complete", () => {
    expect(Object.keys(outcomes).sort()).toEqual(Object.keys(STATES).sort());
  });

  it.each(Object.entries(outcomes))("%s without a result", (state, outcome) => {
    expect(judge(evidence({ row: row(state) }))).toMatchObject(outcome);
  });

  it.each(Object.keys(STATES))("%s with a result: the result counts", (state) => {
    const verdict = judge(
      evidence({ row: row(state), incarnation: { ...started, exit: exit(0) } }),
    );
    expect(verdict).toMatchObject({ type: "ended", exit: { code: 0, cause: undefined } });
  });

  it("one of a later release ends nothing", () => {
    expect(judge(evidence({ row: row("NEWLY_INVENTED") }))).toMatchObject({ type: "running" });
  });

  it.each(["PartitionConfig", "JobHeldUser", "DependencyNeverSatisfied", "QOSNotAllowed"])(
    "a job that waits for %s never starts",
    (reason) => expect(neverStarts(reason)).toBe(true),
  );

  it.each(["Priority", "Resources", "BeginTime", "QOSMaxJobsPerUserLimit", "ReqNodeNotAvail"])(
    "a job that waits for %s may start",
    (reason) => expect(neverStarts(reason)).toBe(false),
  );
});

describe("results", () => {
  it("a failure waits for the job's end, which may be a restart or want of memory", () => {
    const failed = { ...started, exit: exit(137, { signal: 9 }) };
    expect(
      judge(evidence({ row: row("RUNNING"), incarnation: failed, unchangedMs: 0 })),
    ).toMatchObject({ type: "running" });
    expect(judge(evidence({ row: row("OUT_OF_MEMORY"), incarnation: failed }))).toMatchObject({
      type: "ended",
      exit: { code: 137, signal: "SIGKILL", cause: "out-of-memory" },
    });
  });

  it("what asked to be restarted has not ended until the job has", () => {
    const requeued = { ...started, exit: exit(75), requeued: true };
    expect(judge(evidence({ row: row("COMPLETING"), incarnation: requeued }))).toEqual({
      type: "queued",
      why: "it is being requeued",
    });
    expect(judge(evidence({ row: "unreachable", incarnation: requeued }))).toEqual({
      type: "unknown",
      why: "no answer",
    });
    expect(judge(evidence({ row: row("FAILED"), incarnation: requeued }))).toMatchObject({
      type: "ended",
      exit: { code: 75 },
    });
  });

  it("counts although the scheduler cannot be asked or has forgotten the job", () => {
    const done = { ...started, restart: 2, exit: exit(0, { wallSeconds: 2 }) };
    for (const missing of ["unreachable", undefined] as const)
      expect(judge(evidence({ row: missing, incarnation: done }))).toMatchObject({
        type: "ended",
        exit: { code: 0, restarts: 2, startedAt: 1000, endedAt: 3000, durationMs: 2000 },
      });
  });

  it("a runner's own time limit is a deadline", () => {
    const late = { ...started, exit: exit(143, { signal: 15, stopped: "timeout" }) };
    expect(judge(evidence({ row: row("FAILED"), incarnation: late }))).toMatchObject({
      exit: { stopped: "deadline", signal: "SIGTERM", action: 0 },
    });
  });
});

describe("jobs that are gone", () => {
  it("are given time to be seen", () => {
    for (const incarnation of [started, unstarted])
      expect(judge(evidence({ incarnation, unchangedMs: SETTLE_MS - 1 })).type).toBe("unknown");
    expect(judge(evidence({ row: row("COMPLETED"), unchangedMs: 0 })).type).toBe("running");
  });

  it("are lost when they had started, and must be fenced when they had not", () => {
    expect(judge(evidence({}))).toMatchObject({
      type: "ended",
      exit: { cause: "lost", detail: "its job is gone and left no result" },
    });
    expect(judge(evidence({ incarnation: unstarted }))).toEqual({ type: "vanished" });
  });

  it("are cancelled at once when they were dropped from the queue", () => {
    const dropped = { row: row("CANCELLED"), incarnation: unstarted, unchangedMs: 0 };
    expect(judge(evidence({ ...dropped, stop: "pruned" }))).toMatchObject({
      type: "ended",
      exit: { stopped: "pruned", signal: undefined, cause: undefined },
    });
  });
});

describe("why a program was stopped", () => {
  it("is what was asked for, when the program ended before its runner heard of that", () => {
    const killed = { ...started, exit: exit(143, { signal: 15 }) };
    const reason = (more: Partial<Evidence>) => {
      const verdict = judge(evidence({ incarnation: killed, ...more }));
      return verdict.type === "ended" ? verdict.exit.stopped : verdict;
    };
    expect(reason({ stop: "pruned" })).toBe("pruned");
    expect(reason({ stop: "user", incarnation: { ...started, exit: exit(0) } })).toBe("user");
    expect(reason({ row: row("CANCELLED") })).toBe("user");
    expect(reason({ row: row("FAILED") })).toBeUndefined();
  });

  const stopped = (word: string, more: Partial<Evidence> = {}) => {
    const verdict = judge(
      evidence({
        row: row("PREEMPTED"),
        incarnation: { ...started, exit: exit(75, { stopped: word }) },
        ...more,
      }),
    );
    return verdict.type === "ended" ? verdict.exit.stopped : verdict;
  };

  it.each(["deadline", "user", "shutdown", "preempt"])(
    "a job that SLURM preempted was preempted, though its node took it for `%s`",
    (word) => expect(stopped(word)).toBe("preempt"),
  );

  it("what flow asked for itself stays the reason", () => {
    expect(stopped("pruned", { stop: "pruned" })).toBe("pruned");
    expect(stopped("user", { row: row("CANCELLED") })).toBe("user");
  });
});
