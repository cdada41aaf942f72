/** What follows when a task fails: for the others, for its next try, for the exit code. */
import { describe, expect } from "vitest";
import { flowTest } from "../../rig/flow-test.ts";

const FOUR = `
tasks:
  bad: { actions: [cmd bad] }
  other: { actions: [cmd other] }
  later: { actions: [cmd --quick later] }
  needs: { after: [bad], actions: [cmd --quick needs] }
`;

describe("after a failure", () => {
  flowTest("running tasks finish and nothing new starts", async ({ project }) => {
    project.flowFile(FOUR);
    const flow = project.startRun("-n", "2");
    const bad = await project.cmd("bad").next();
    const other = await project.cmd("other").next();
    await bad.exit(3);
    await flow.event("task/failed", { task: "bad" });
    await other.exit();
    expect((await flow.ended).code).toBe(1);
    expect(flow.tasks("task/done")).toEqual(["other"]);
    expect([...project.witness.begun()].sort()).toEqual(["bad", "other"]);
  });

  flowTest("-k goes on with what does not depend on it", async ({ project }) => {
    project.flowFile(FOUR);
    const flow = project.startRun("-n", "2", "-k");
    const bad = await project.cmd("bad").next();
    const other = await project.cmd("other").next();
    await bad.exit(3);
    await flow.event("task/done", { task: "later" });
    await other.exit();
    expect((await flow.ended).code).toBe(1);
    expect(await flow.event("task/blocked", { task: "needs" })).toMatchObject({ by: "bad" });
    expect(project.witness.begun()).not.toContain("needs");
  });

  flowTest("--fail-fast stops the running ones", async ({ project }) => {
    project.flowFile(FOUR);
    const flow = project.startRun("-n", "2", "--fail-fast");
    const bad = await project.cmd("bad").next();
    const other = await project.cmd("other").next();
    await bad.exit(3);
    await other.gone;
    expect((await flow.ended).code).toBe(1);
    expect(flow.tasks("task/cancelled")).toContain("other");
    expect(project.witness.begun()).not.toContain("later");
  });

  flowTest(
    "the person is told what failed, its last lines and how to go on",
    async ({ project }) => {
      project.flowFile(`
tasks:
  bad: { actions: ["echo first line; echo the reason >&2; exit 3"] }
  needs: { after: [bad], actions: ["true"] }
`);
      const { code, stdout, stderr } = await project.run("run");
      expect(code).toBe(1);
      expect(stdout).toBe("");
      for (const part of [
        "bad",
        "exit 3",
        "the reason",
        "flow.yaml:4",
        "blocks   needs",
        "rerun    flow run bad",
      ])
        expect(stderr).toContain(part);
    },
  );
});

describe("retries", () => {
  flowTest(
    "only the causes in `for` are tried again, and not more than `max` times",
    async ({ project }) => {
      project.flowFile(`
tasks:
  a: { actions: [cmd a], retries: { max: 2, for: ["exit:7"], backoff: 0s } }
`);
      const flow = project.startRun();
      await (await project.cmd("a").next()).exit(7);
      const second = await project.cmd("a").next();
      expect(second.env["FLOW_ATTEMPT"]).toBe("2");
      expect(second.env["FLOW_RESTART_REASON"]).toBe("retry");
      await second.exit(8);
      expect((await flow.ended).code).toBe(1);

      const again = project.startRun();
      for (let attempt = 0; attempt < 3; attempt++) await (await project.cmd("a").next()).exit(7);
      expect((await again.ended).code).toBe(1);
      expect(project.cmd("a").waiting()).toBe(0);
    },
  );

  flowTest(
    "running out of GPU memory is told apart by what the program prints",
    async ({ project }) => {
      project.flowFile(`
tasks:
  a: { actions: [cmd a], retries: { max: 1, for: [gpu_oom], backoff: 0s } }
`);
      const flow = project.startRun();
      const first = await project.cmd("a").next();
      await first.printError("RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB\n");
      await first.exit(1);
      await (await project.cmd("a").next()).exit(0);
      expect((await flow.ended).code).toBe(0);
      expect(await flow.event("task/again")).toMatchObject({
        outcome: { type: "oom", device: "gpu" },
      });
    },
  );

  flowTest("a requeue costs no retry and goes on from the checkpoint", async ({ project }) => {
    project.flowFile(`
tasks:
  a: { checkpoint: true, actions: [cmd a] }
`);
    const flow = project.startRun();
    const first = await project.cmd("a").next();
    await first.write(`${first.env["FLOW_CHECKPOINT_DIR"]}/state`, "1");
    await first.tell("checkpoint", { path: `${first.env["FLOW_CHECKPOINT_DIR"]}/state`, step: 1 });
    await first.exit(75);
    const second = await project.cmd("a").next();
    expect(second.env).toMatchObject({
      FLOW_RESTART_REASON: "requeue",
      FLOW_RESTART_COUNT: "1",
      FLOW_RESUME: "1",
      FLOW_CHECKPOINT: `${first.env["FLOW_CHECKPOINT_DIR"]}/state`,
      FLOW_CHECKPOINT_STEP: "1",
    });
    await second.exit();
    expect((await flow.ended).code).toBe(0);
  });

  flowTest("requeues without any progress end", async ({ project }) => {
    project.flowFile(`
tasks:
  a: { checkpoint: true, actions: ["exit 75"] }
`);
    const flow = await project.runEvents();
    expect(flow.code).toBe(1);
    expect(await flow.event("task/failed")).toMatchObject({ outcome: { kind: "no-progress" } });
  });
});

describe("time", () => {
  flowTest("`timeout` ends a task that takes longer", async ({ project }) => {
    project.flowFile(`
tasks:
  a: { actions: ["exec sleep 600"], timeout: 500ms }
`);
    const flow = await project.runEvents();
    expect(flow.code).toBe(1);
    expect(await flow.event("task/failed")).toMatchObject({ outcome: { kind: "timeout" } });
  });

  flowTest(
    "`hang_after` ends a task that gives no sign of life, and not one that does",
    async ({ project }) => {
      project.flowFile(`
tasks:
  lively: { actions: ["until [ -e go ]; do echo I live; sleep 0.05; done"], hang_after: 3s }
  hung: { actions: ["exec sleep 600"], hang_after: 3s }
`);
      const flow = project.startRun("-n", "2", "-k");
      await flow.event("task/failed", { task: "hung" });
      project.write("go", "");
      expect((await flow.ended).code).toBe(1);
      expect(await flow.event("task/failed")).toMatchObject({
        task: "hung",
        outcome: { kind: "hung" },
      });
      expect(flow.tasks("task/done")).toEqual(["lively"]);
    },
  );

  flowTest(
    "a task that ignores the stop is killed when its grace is over, with all it started",
    async ({ project }) => {
      project.flowFile(`
tasks:
  a: { actions: ["cmd --trap child & setsid cmd --trap grandchild & wait"], stop: { grace: 200ms } }
`);
      const flow = project.startRun();
      const child = await project.cmd("child").next();
      const grandchild = await project.cmd("grandchild").next();
      flow.signal("SIGTERM");
      await Promise.all([child.gone, grandchild.gone]);
      expect((await flow.ended).code).toBe(143);
    },
  );
});

describe("state that is removed in mid-run", () => {
  flowTest(
    "ends the run as soon as its task has ended, with what happened",
    async ({ project }) => {
      project.flowFile(`
tasks:
  a: { targets: [a.txt], actions: [cmd a] }
  b: { deps: [a.txt], targets: [b.txt], actions: [cmd --quick b b.txt] }
`);
      const flow = project.startRun();
      const a = await project.cmd("a").next();
      project.remove(".flow");
      await a.write("a.txt", "whole");
      await a.exit();
      const warning = await flow.event("warning", { task: "a" });
      expect(warning.message).toMatch(
        /^cannot record how it ended: flow's own folder, or a part of it, was removed while it was in use/,
      );
      expect((await flow.ended).code).toBe(3);
      expect(project.witness.begun()).toEqual(["a"]);
    },
  );
});
