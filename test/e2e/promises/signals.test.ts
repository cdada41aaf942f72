/** What the signals mean for a run, and the exit codes they lead to. */
import { describe, expect } from "vitest";
import { type FlowProject, flowTest } from "../../rig/flow-test.ts";

const STUBBORN = `
tasks:
  work: { checkpoint: true, targets: [out.txt], actions: [cmd --trap work], stop: { grace: 60s } }
  next: { after: [work], actions: [cmd --quick next] }
`;

const MEEK = `
tasks:
  work: { targets: [out.txt], actions: [cmd work] }
`;

async function startStubborn(project: FlowProject) {
  project.flowFile(STUBBORN);
  const flow = project.startRun();
  return { flow, work: await project.cmd("work").next() };
}

/** Runs the project once more; its task ends well. Returns the environment the task was given. */
async function finish(project: FlowProject): Promise<Readonly<Record<string, string | undefined>>> {
  const flow = project.startRun();
  const work = await project.cmd("work").next();
  await work.write("out.txt", "done");
  await work.exit();
  expect((await flow.ended).code).toBe(0);
  return work.env;
}

describe("Ctrl-C", () => {
  flowTest(
    "once asks the task to stop, waits for it, starts nothing new and exits with 130",
    async ({ project }) => {
      const { flow, work } = await startStubborn(project);
      flow.signal("SIGINT");
      expect(await work.signal()).toBe("SIGTERM");
      expect(project.read(`${work.env["FLOW_STOP_FILE"]}`.slice(project.root.length))).toMatch(
        /user/,
      );
      await work.write(`${work.env["FLOW_CHECKPOINT_DIR"]}/state`, "half");
      await work.exit(75);
      expect((await flow.ended).code).toBe(130);
      expect(flow.tasks("task/cancelled")).toContain("work");

      const env = await finish(project);
      expect(env["FLOW_RESUME"]).toBe("1");
      expect(env["FLOW_ATTEMPT"]).toBe("2");
      expect(project.witness.begun()).toEqual(["work", "work", "next"]);
    },
  );

  flowTest(
    "ends a task that does not handle the signal, and its partial target does not count",
    async ({ project }) => {
      project.flowFile(MEEK);
      const flow = project.startRun();
      const work = await project.cmd("work").next();
      await work.write("out.txt", "half");
      flow.signal("SIGINT");
      await work.gone;
      expect((await flow.ended).code).toBe(130);
      expect(project.has("out.txt")).toBe(false);
      expect(project.read(".flow/partial/work/out.txt")).toBe("half");
      await finish(project);
    },
  );

  flowTest("twice kills at once", async ({ project }) => {
    const { flow, work } = await startStubborn(project);
    flow.signal("SIGINT");
    await flow.event("run/stopping", { how: "graceful" });
    flow.signal("SIGINT");
    await work.gone;
    expect((await flow.ended).code).toBe(130);
    await finish(project);
  });

  flowTest("three times leaves at once, and the next run still knows", async ({ project }) => {
    const { flow, work } = await startStubborn(project);
    flow.signal("SIGINT");
    await flow.event("run/stopping", { how: "graceful" });
    flow.signal("SIGINT");
    await flow.event("run/stopping", { how: "forced" });
    flow.signal("SIGINT");
    expect((await flow.ended).code).toBe(130);
    await work.gone;
    await finish(project);
  });

  flowTest(
    "while it is still finding out what is fresh exits with 130 and starts nothing",
    async ({ project }) => {
      project.flowFile(`
tasks:
  slow: { fresh: cmd check, targets: [out.txt], actions: [cmd --quick slow out.txt] }
`);
      expect((await project.run("run")).code).toBe(0);
      const flow = project.startRun();
      const check = await project.cmd("check").next();
      flow.signal("SIGINT");
      await flow.event("run/stopping");
      await check.exit(1);
      expect((await flow.ended).code).toBe(130);
      expect(flow.tasks("task/started")).toEqual([]);
    },
  );
});

describe("other signals", () => {
  flowTest("SIGTERM is a first Ctrl-C that exits with 143", async ({ project }) => {
    const { flow, work } = await startStubborn(project);
    flow.signal("SIGTERM");
    await work.signal();
    expect(project.read(`${work.env["FLOW_STOP_FILE"]}`.slice(project.root.length))).toMatch(
      /shutdown/,
    );
    await work.exit(75);
    expect((await flow.ended).code).toBe(143);
    await finish(project);
  });

  flowTest("SIGHUP changes nothing", async ({ project }) => {
    project.flowFile(MEEK);
    const flow = project.startRun();
    const work = await project.cmd("work").next();
    flow.signal("SIGHUP");
    await work.write("out.txt", "whole");
    await work.exit();
    expect((await flow.ended).code).toBe(0);
    expect(project.read("out.txt")).toBe("whole");
  });
});

describe("flow cancel", () => {
  flowTest(
    "stops what runs of the tasks it names and starts nothing more of them",
    async ({ project }) => {
      project.flowFile(`
tasks:
  one: { matrix: { i: 1..3 }, targets: ["\${{ matrix.i }}.txt"], actions: [cmd one] }
  two: { targets: [two.txt], actions: [cmd two] }
`);
      const flow = project.startRun("-n", "1");
      const one = await project.cmd("one").next();
      expect((await project.run("cancel", "one")).code).toBe(0);
      await one.gone;
      const two = await project.cmd("two").next();
      await two.write("two.txt", "");
      await two.exit();
      expect((await flow.ended).code).toBe(1);
      expect(flow.tasks("task/cancelled")).toEqual(["one@i=1"]);
      expect(flow.tasks("task/started")).toEqual(["one@i=1", "two"]);
    },
  );

  flowTest(
    "from another terminal stops the tasks it names and no others; the run has failed",
    async ({ project }) => {
      project.flowFile(`
tasks:
  one: { targets: [one.txt], actions: [cmd one] }
  two: { targets: [two.txt], actions: [cmd two] }
`);
      const flow = project.startRun("-n", "2");
      const one = await project.cmd("one").next();
      const two = await project.cmd("two").next();
      expect((await project.run("cancel", "one")).code).toBe(0);
      await one.gone;
      await two.write("two.txt", "");
      await two.exit();
      expect((await flow.ended).code).toBe(1);
      expect(flow.tasks("task/cancelled")).toEqual(["one"]);
      expect(flow.tasks("task/done")).toEqual(["two"]);
    },
  );
});
