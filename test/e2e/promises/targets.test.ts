/** Promises 1, 5 and 10: what counts as done, what becomes of targets, what makes a task run again. */
import { utimesSync } from "node:fs";
import { describe, expect } from "vitest";
import { flowTest } from "../../rig/flow-test.ts";

describe("targets", () => {
  flowTest(
    "promise 5, partial output never counts: the old target comes back, the partial one is kept",
    async ({ project }) => {
      project.flowFile(`
params: { step: one }
tasks:
  make: { targets: [out.txt], actions: ["cmd make \${{ params.step }}"] }
`);
      const first = project.startRun();
      const good = await project.cmd("make").next();
      await good.write("out.txt", "good");
      await good.exit();
      expect((await first.ended).code).toBe(0);

      const second = project.startRun("-p", "step=two");
      const bad = await project.cmd("make").next();
      expect(project.has("out.txt")).toBe(false);
      await bad.write("out.txt", "half");
      await bad.exit(1);
      expect((await second.ended).code).toBe(1);
      expect(project.read("out.txt")).toBe("good");
      expect(project.read(".flow/partial/make/out.txt")).toBe("half");
      expect((await project.runEvents()).tasks("task/fresh")).toEqual(["make"]);
    },
  );

  flowTest(
    "promise 5, partial output never counts: not after the power failed either",
    async ({ project }) => {
      project.flowFile(`
params: { step: one }
tasks:
  make: { targets: [out.txt], actions: ["cmd make \${{ params.step }}"] }
  use: { deps: [out.txt], targets: [copy.txt], actions: [cp out.txt copy.txt] }
`);
      const first = project.startRun();
      const good = await project.cmd("make").next();
      await good.write("out.txt", "good");
      await good.exit();
      await first.ended;

      const second = project.startRun("-p", "step=two");
      await (await project.cmd("make").next()).write("out.txt", "half");
      project.powerOff();
      await second.ended;
      const third = await project.runEvents();
      expect(third.code).toBe(0);
      expect(third.tasks("task/started")).not.toContain("use");
      expect(project.read("out.txt")).toBe("good");
      expect(project.read("copy.txt")).toBe("good");
    },
  );

  flowTest("a task that ends well without its target has failed", async ({ project }) => {
    project.flowFile(`
tasks:
  make: { targets: [out.txt, more/], actions: ["true"] }
`);
    const { code, stderr } = await project.run("run");
    expect(code).toBe(1);
    expect(stderr).toContain("ended well but did not make `out.txt`, `more`");
  });

  flowTest("a target that was removed is made again", async ({ project }) => {
    project.flowFile(`
tasks:
  make: { targets: [out.txt], actions: [cmd --quick make out.txt] }
`);
    await project.run("run");
    project.remove("out.txt");
    expect((await project.runEvents()).tasks("task/done")).toEqual(["make"]);
  });

  flowTest(
    "a target that was edited by hand is kept, said, and seen by what depends on it",
    async ({ project }) => {
      project.flowFile(`
tasks:
  make: { targets: [out.txt], actions: [echo made > out.txt] }
  use: { deps: [out.txt], targets: [copy.txt], actions: [cp out.txt copy.txt] }
`);
      await project.run("run");
      project.write("out.txt", "edited\n");
      const { code, stderr } = await project.run("run");
      expect(code).toBe(0);
      expect(stderr).toContain(
        "`out.txt` was edited by hand and is kept; `flow accept` blesses it",
      );
      expect(project.read("copy.txt")).toBe("edited\n");

      expect((await project.run("run", "--strict")).code).not.toBe(0);
      expect(project.read("out.txt")).toBe("edited\n");
      expect((await project.run("run", "--rebuild-modified")).code).toBe(0);
      expect(project.read("copy.txt")).toBe("made\n");
    },
  );
});

describe("freshness", () => {
  flowTest(
    "promise 1, recorded success is final: a second run starts nothing",
    async ({ project }) => {
      project.flowFile(`
tasks:
  a: { deps: [in.txt], targets: [a.txt], actions: [cp in.txt a.txt] }
  b: { deps: [a.txt], targets: [b.txt], actions: [cp a.txt b.txt] }
`);
      project.write("in.txt", "1");
      expect((await project.runEvents()).tasks("task/done")).toEqual(["a", "b"]);
      const second = await project.runEvents();
      expect(second.code).toBe(0);
      expect(second.tasks("task/fresh")).toEqual(["a", "b"]);
      expect(second.tasks("task/started")).toEqual([]);
    },
  );

  flowTest(
    "promise 10, the wall clock decides nothing: times of files change nothing, contents do",
    async ({ project }) => {
      project.flowFile(`
tasks:
  a: { deps: [in.txt], targets: [a.txt], actions: [cp in.txt a.txt] }
`);
      project.write("in.txt", "1");
      await project.run("run");
      for (const time of [new Date(0), new Date("2099-01-01")]) {
        utimesSync(project.path("in.txt"), time, time);
        utimesSync(project.path("a.txt"), time, time);
        expect((await project.runEvents()).tasks("task/started")).toEqual([]);
      }
      project.write("in.txt", "2");
      utimesSync(project.path("in.txt"), new Date(0), new Date(0));
      expect((await project.runEvents()).tasks("task/done")).toEqual(["a"]);
      expect(project.read("a.txt")).toBe("2");
    },
  );

  flowTest(
    "what depends on a task that made the same bytes again does not run",
    async ({ project }) => {
      project.flowFile(`
tasks:
  a: { deps: [in.txt], targets: [a.txt], actions: [head -c 1 in.txt > a.txt] }
  b: { deps: [a.txt], targets: [b.txt], actions: [cp a.txt b.txt] }
  c: { deps: [b.txt], targets: [c.txt], actions: [cp b.txt c.txt] }
`);
      project.write("in.txt", "1 first");
      await project.run("run");
      project.write("in.txt", "1 second");
      const second = await project.runEvents();
      expect(second.tasks("task/done")).toEqual(["a"]);
      expect(second.tasks("task/fresh")).toEqual(["b", "c"]);
    },
  );

  flowTest(
    "an input that changes while its task runs makes the task stale",
    async ({ project }) => {
      project.flowFile(`
tasks:
  a: { deps: [in.txt], targets: [a.txt], actions: [cmd a] }
`);
      project.write("in.txt", "1");
      const first = project.startRun();
      const a = await project.cmd("a").next();
      project.write("in.txt", "2");
      await a.write("a.txt", "of 1");
      await a.exit();
      expect((await first.ended).code).toBe(0);
      const warning = await first.event("warning");
      expect(warning.message).toBe("in.txt changed while it ran, so it counts as stale");

      const second = project.startRun();
      const again = await project.cmd("a").next();
      await again.write("a.txt", "of 2");
      await again.exit();
      expect((await second.ended).code).toBe(0);
    },
  );

  flowTest(
    "parameters, environment and commands are part of the recipe; names and limits are not",
    async ({ project }) => {
      const file = (task: string): void =>
        project.flowFile(`tasks:\n  a: { targets: [a.txt], ${task} }\n`);
      const rerun = async (): Promise<readonly string[]> =>
        (await project.runEvents()).tasks("task/done");
      file("actions: [echo 1 > a.txt]");
      expect(await rerun()).toEqual(["a"]);
      file(
        "actions: [echo 1 > a.txt], desc: text, timeout: 1h, priority: 3, retries: 2, tags: [x]",
      );
      expect(await rerun()).toEqual([]);
      file("actions: [echo 1 > a.txt], env: { X: y }");
      expect(await rerun()).toEqual(["a"]);
      file("actions: [echo 2 > a.txt], env: { X: y }");
      expect(await rerun()).toEqual(["a"]);
    },
  );
});

describe("limits", () => {
  flowTest(
    "promise 4, no early start: what is depended on has ended before, and a pool is never exceeded",
    async ({ project }) => {
      project.flowFile(`
pools: { press: 2 }
tasks:
  first: { targets: [first.txt], actions: [cmd --quick first first.txt] }
  job:
    matrix: { n: 1..8 }
    deps: [first.txt]
    pools: { press: 1 }
    targets: ["out/\${{ matrix.n }}.txt"]
    actions: [cmd job]
  last: { deps: [{ task: job }], targets: [last.txt], actions: [cmd --quick last last.txt] }
`);
      const flow = project.startRun("-n", "6");
      for (let pair = 0; pair < 4; pair++) {
        const jobs = [await project.cmd("job").next(), await project.cmd("job").next()];
        expect(project.cmd("job").waiting()).toBe(0);
        for (const job of jobs) {
          await job.write(`out/${job.env["FLOW_PARAM_N"]}.txt`, "");
          await job.exit();
        }
      }
      expect((await flow.ended).code).toBe(0);
      expect(project.witness.mostAtOnce()).toBe(2);
      for (let n = 1; n <= 8; n++) {
        expect(project.witness.isOrdered("first", `job@n=${n}`)).toBe(true);
        expect(project.witness.isOrdered(`job@n=${n}`, "last")).toBe(true);
      }
    },
  );

  flowTest(
    "promise 4, limits: -n bounds how many run at once, and reaches it",
    async ({ project }) => {
      project.flowFile(`
tasks:
  job: { matrix: { n: 1..7 }, actions: [cmd job] }
`);
      const flow = project.startRun("-n", "3");
      const running = [];
      for (let n = 0; n < 7; n++) {
        running.push(await project.cmd("job").next());
        if (running.length === 3) await running.shift()?.exit();
      }
      for (const job of running) await job.exit();
      expect((await flow.ended).code).toBe(0);
      expect(project.witness.mostAtOnce()).toBe(3);
    },
  );
});
