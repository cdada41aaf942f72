/** What a task's program is told, every variable of it, and what its exit codes and keys of policy mean. */
import { cpus } from "node:os";
import { describe, expect } from "vitest";
import { flowTest } from "../../rig/flow-test.ts";

/** The variables of the script contract and of its aliases. */
const OF_CONTRACT = /^(FLOW|XT_|AZ_BATCHAI_|OMP_NUM_THREADS$|TMPDIR$)/;

describe("the script contract", () => {
  flowTest("tells a program all that applies to it, and nothing else", async ({ project }) => {
    project.flowFile(`
workspace: ws
experiment: ex
params: { lr: 10., optimizer: { momentum: 1e-3 }, seed: 7 }
tasks:
  score: { values: score.json, actions: ["printf '{\\"acc\\": 0.50, \\"by\\": \\"me\\"}' > score.json"] }
  train:
    matrix: { model: [a b] }
    deps: { data: in.txt }
    uses: { acc: { task: score, key: acc }, by: { task: score, key: by } }
    targets: { model: model.bin, log: log.txt }
    outputs: { plots: plots }
    checkpoint: true
    resources: { cpus: 0.5, mem: 64M }
    stop: { grace: 3s }
    timeout: 1h
    actions: [cmd train]
`);
    project.write("in.txt", "1");
    const flow = project.startRun();
    const { run } = await flow.event("run/started");
    const first = await project.cmd("train").next();
    const told = Object.fromEntries(
      Object.entries(first.env).filter(([name]) => OF_CONTRACT.test(name)),
    );
    const key = told["FLOW_TASK_ID"] ?? "";
    expect(key).toMatch(/^[0-9a-f]{16}$/);
    const place = project.path(".flow/tasks", key.slice(0, 2), key);
    const attempt = `${place}/attempts/1`;
    const { FLOW_JOB_ID: pid, FLOW_DEADLINE: deadline, ...rest } = told;
    expect(Number(pid)).toBeGreaterThan(1);
    expect(Number(deadline)).toBeGreaterThan(Date.now() / 1000);
    expect(rest).toEqual({
      FLOW: "1",
      FLOW_PROTOCOL: "1",
      FLOW_RUN_ID: run,
      FLOW_TASK: "train@model=a%20b",
      FLOW_TASK_ID: key,
      FLOW_ATTEMPT: "1",
      FLOW_ATTEMPT_KEY: `${key}-1`,
      FLOW_ATTEMPT_DIR: attempt,
      FLOW_RESTART_COUNT: "0",
      FLOW_RESTART_REASON: "first",
      FLOW_PROJECT_DIR: project.root,
      FLOW_TASK_DIR: attempt,
      FLOW_TMP_DIR: `${attempt}/tmp`,
      TMPDIR: `${attempt}/tmp`,
      FLOW_OUTPUT_DIR: `${place}/out`,
      FLOW_OUTPUT_PLOTS: project.path("plots"),
      FLOW_CHECKPOINT_DIR: `${place}/ckpt`,
      FLOW_RESUME: "0",
      FLOW_PARAMS_FILE: `${attempt}/params.json`,
      FLOW_INPUTS_FILE: `${attempt}/inputs.json`,
      FLOW_PARAM_LR: "10.",
      FLOW_PARAM_OPTIMIZER__MOMENTUM: "1e-3",
      FLOW_PARAM_SEED: "7",
      FLOW_PARAM_MODEL: "a b",
      FLOW_SEED: "7",
      FLOW_DEPS: "in.txt",
      FLOW_TARGETS: "model.bin\nlog.txt",
      FLOW_USES_ACC: "0.5",
      FLOW_USES_BY: "me",
      FLOW_EVENTS: `${attempt}/events.0.jsonl`,
      FLOW_STOP_FILE: `${attempt}/stop`,
      FLOW_GRACE: "3",
      FLOW_EXIT_REQUEUE: "75",
      FLOW_CPUS: "1",
      OMP_NUM_THREADS: "1",
      FLOW_MEM_MB: "61",
      FLOW_BACKEND: "local",
      XT_OUTPUT_MNT: `${place}/out`,
      XT_OUTPUT_DIR: `${place}/out`,
      XT_RUN_NAME: "train@model=a%20b",
      XT_WORKSPACE_NAME: "ws",
      XT_EXPERIMENT_NAME: "ex",
      XT_RESUME_NAME: "",
      XT_NODE_ID: "node0",
      XT_JOB_ID: run,
      AZ_BATCHAI_JOB_MOUNT_ROOT: project.root,
      AZ_BATCHAI_OUTPUT_PLOTS: project.path("plots"),
      AZ_BATCHAI_STDOUTERR_DIR: attempt,
      AZ_BATCHAI_TASK_INDEX: "0",
    });
    expect(
      JSON.parse(project.read(`.flow/${rest["FLOW_PARAMS_FILE"]?.split("/.flow/")[1]}`)),
    ).toEqual({
      lr: "10.",
      "optimizer.momentum": "1e-3",
      seed: "7",
      model: "a b",
    });
    await first.write("model.bin", "m");
    await first.write("log.txt", "l");
    await first.exit();
    expect((await flow.ended).code).toBe(0);
  });

  flowTest("says how many cpus there are to a task that asks for more", async ({ project }) => {
    project.flowFile("tasks:\n  a: { resources: { cpus: 100000 }, actions: [cmd a] }\n");
    const flow = project.startRun();
    const a = await project.cmd("a").next();
    expect(Number(a.env["FLOW_CPUS"])).toBeGreaterThanOrEqual(1);
    expect(Number(a.env["FLOW_CPUS"])).toBeLessThanOrEqual(cpus().length);
    expect(a.env["OMP_NUM_THREADS"]).toBe(a.env["FLOW_CPUS"]);
    await a.exit();
    expect((await flow.ended).code).toBe(0);
  });

  flowTest("`compat: []` leaves the aliases out", async ({ project }) => {
    project.flowFile("compat: []\ntasks:\n  a: { actions: [cmd a] }\n");
    const flow = project.startRun();
    const a = await project.cmd("a").next();
    expect(Object.keys(a.env).filter((name) => /^(XT|AZ)_/.test(name))).toEqual([]);
    await a.exit();
    expect((await flow.ended).code).toBe(0);
  });
});

describe("policy", () => {
  flowTest("`max_requeues` ends a task that asks for more", async ({ project }) => {
    project.flowFile(`
tasks:
  a: { checkpoint: true, max_requeues: 2, requeue_codes: [7], requeue_delay: 1ms, actions: [cmd a] }
`);
    const flow = project.startRun();
    for (const [count, code] of [75, 7, 85].entries()) {
      const a = await project.cmd("a").next();
      expect(a.env["FLOW_RESTART_COUNT"]).toBe(String(count));
      await a.tell("progress", { done: count + 1, total: 10 });
      await a.exit(code);
    }
    expect((await flow.ended).code).toBe(1);
    expect(project.cmd("a").waiting()).toBe(0);
    expect(flow.tasks("task/failed")).toEqual(["a"]);
  });

  flowTest(
    "`allow_failure` lets what depends on it run, and the run be a success",
    async ({ project }) => {
      project.flowFile(`
tasks:
  may: { allow_failure: true, actions: [cmd --quick may, "exit 3"] }
  next: { after: [may], actions: [cmd --quick next] }
`);
      const flow = await project.runEvents();
      expect(flow.code).toBe(0);
      expect(project.witness.begun()).toEqual(["may", "next"]);
      expect((await flow.event("run/ended")).counts).toMatchObject({ allowedFailures: 1, done: 1 });
    },
  );
});
