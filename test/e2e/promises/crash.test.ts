/** Promises 1, 2, 3 and 6: flow itself is killed, its state is damaged, several flows run at once. */
import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { describe, expect } from "vitest";
import { type FlowProject, flowTest } from "../../rig/flow-test.ts";

const TWO_TASKS = `
tasks:
  slow: { targets: [slow.txt], actions: [cmd slow] }
  after: { deps: [slow.txt], targets: [after.txt], actions: [cmd --quick after after.txt] }
`;

/** Eight tasks in a row, each started only when the one before it has ended. */
const CHAIN = `
tasks:
${[1, 2, 3, 4, 5, 6, 7, 8]
  .map(
    (number) => `  t${number}:
    after: [${number === 1 ? "" : `t${number - 1}`}]
    targets: [t${number}.txt]
    actions: [cmd --quick t${number} t${number}.txt]`,
  )
  .join("\n")}
`;

/** The journals of all runs, oldest first. */
function journals(project: FlowProject): readonly string[] {
  const runs = readdirSync(project.path(".flow/runs")).sort();
  return runs.map((run) => project.path(".flow/runs", run, "journal.jsonl"));
}

describe("flow killed with SIGKILL", () => {
  flowTest(
    "promise 2, one live attempt: the next run adopts what still runs",
    async ({ project }) => {
      project.flowFile(TWO_TASKS);
      const first = project.startRun();
      const slow = await project.cmd("slow").next();
      await first.kill();
      expect(slow.isAlive()).toBe(true);

      const second = project.startRun();
      const started = await second.event("task/started", { task: "slow" });
      expect(started.adoptedSince).toBeTypeOf("number");
      await slow.write("slow.txt", "slow");
      await slow.exit();
      expect((await second.ended).code).toBe(0);
      expect(project.witness.begun()).toEqual(["slow", "after"]);
    },
  );

  flowTest(
    "promise 1, recorded success is final: what ended well while no flow was there is read",
    async ({ project }) => {
      project.flowFile(TWO_TASKS);
      const first = project.startRun();
      const slow = await project.cmd("slow").next();
      await first.kill();
      await slow.write("slow.txt", "slow");
      await slow.exit();

      const second = await project.runEvents();
      expect(second.code).toBe(0);
      expect(second.tasks("task/done")).toEqual(["slow", "after"]);
      expect(project.witness.begun()).toEqual(["slow", "after"]);
    },
  );

  flowTest(
    "a failure while no flow was there is read too, and tried again",
    async ({ project }) => {
      project.flowFile(TWO_TASKS);
      const first = project.startRun();
      const slow = await project.cmd("slow").next();
      await first.kill();
      await slow.exit(3);

      const second = await project.runEvents();
      expect(second.code).toBe(1);
      expect(await second.event("task/failed", { task: "slow" })).toMatchObject({
        outcome: { type: "failed", kind: "exit", code: 3 },
      });
      expect(project.witness.begun()).toEqual(["slow"]);
    },
  );

  flowTest(
    "promise 3, at least once: a task that was killed together with flow runs again",
    async ({ project }) => {
      project.flowFile(TWO_TASKS);
      const first = project.startRun();
      await project.cmd("slow").next();
      project.powerOff();
      await first.ended;

      const second = project.startRun();
      const again = await project.cmd("slow").next();
      await again.write("slow.txt", "slow");
      await again.exit();
      expect((await second.ended).code).toBe(0);
      expect(project.witness.begun()).toEqual(["slow", "slow", "after"]);
    },
  );

  flowTest(
    "promise 6, opens after any crash: killed at every second event, nothing that was done runs again",
    async ({ project }) => {
      project.flowFile(CHAIN);
      const done: string[] = [];
      for (let moment = 1; ; moment += 2) {
        const flow = project.startRun("-n", "1");
        const hasCome = await flow.count(moment).then(
          () => true,
          () => false,
        );
        if (hasCome) await flow.kill();
        const { code } = await flow.ended;
        for (const task of flow.tasks("task/done")) {
          expect(done).not.toContain(task);
          done.push(task);
        }
        if (code === 0) break;
      }
      expect((await project.runEvents()).tasks("task/started")).toEqual([]);
      const begun = project.witness.begun();
      expect([...new Set(begun)].sort()).toEqual(["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"]);
      expect(begun).toEqual([...begun].sort());
    },
  );
});

describe("damaged state", () => {
  flowTest(
    "promise 6, damage is contained: a torn journal keeps all whole lines",
    async ({ project }) => {
      project.flowFile(CHAIN);
      const first = project.startRun("-n", "1");
      await first.event("task/done", { task: "t4" });
      await first.kill();
      const [journal = ""] = journals(project);
      truncateSync(journal, readFileSync(journal).length - 3);

      const second = await project.runEvents("-n", "1");
      expect(second.code).toBe(0);
      for (const task of ["t1", "t2", "t3"])
        expect(second.tasks("task/started")).not.toContain(task);
    },
  );

  flowTest(
    "promise 6, damage is contained: a journal that ends in NUL bytes and noise is read to there",
    async ({ project }) => {
      project.flowFile(CHAIN);
      const first = project.startRun("-n", "1");
      await first.event("task/done", { task: "t3" });
      await first.kill();
      appendFileSync(journals(project)[0] ?? "", Buffer.from([0, 0, 0, 0, 255, 254, 10, 0]));

      const second = await project.runEvents("-n", "1");
      expect(second.code).toBe(0);
      for (const task of ["t1", "t2", "t3"])
        expect(second.tasks("task/started")).not.toContain(task);
    },
  );

  flowTest(
    "promise 6, damage is named: traces that cannot be read are said, and read back from the results of attempts",
    async ({ project }) => {
      project.flowFile(CHAIN);
      await project.run("run");
      writeFileSync(project.path(".flow/traces"), "\0\0\0 not a record\n");

      const { code, stderr } = await project.run("run");
      expect(stderr).toMatch(
        /^flow: 1 record of a past success is damaged or of another version of flow\nflow: successes of 8 tasks were read back from the results of attempts\n/,
      );
      expect(code).toBe(0);
      expect(project.witness.begun()).toHaveLength(8);
      const again = await project.run("run");
      expect(again.stderr).toMatch(/nothing to do/);
      expect(again.stderr).not.toMatch(/damaged/);
    },
  );

  flowTest(
    "promise 6, damage is contained: a project whose traces are lost runs nothing again",
    async ({ project }) => {
      project.flowFile(CHAIN);
      await project.run("run");
      project.remove(".flow/traces");

      const { code, stderr } = await project.run("run");
      expect(stderr).toMatch(/^flow: the record of past successes \(\.flow\/traces\) is missing\n/);
      expect(code).toBe(0);
      expect(project.witness.begun()).toHaveLength(8);
    },
  );
});

describe("two runs at once on one project", () => {
  flowTest(
    "do not take half of what the other is making for an edit by hand",
    async ({ project }) => {
      project.flowFile(`
params: { p: 1 }
tasks:
  make: { targets: [made], actions: ["echo half > made; : > half-\${{ params.p }}; until [ -e go ]; do sleep 0.05; done; echo \${{ params.p }} > made"] }
`);
      project.write("go", "");
      expect((await project.run("run", "-p", "p=1")).code).toBe(0);
      project.remove("go");
      const first = project.startRun("-p", "p=2");
      await first.event("task/started", { task: "make" });
      await expect.poll(() => project.has("half-2"), { timeout: 60_000 }).toBe(true);
      const second = project.startRun("-p", "p=1");
      await second.event("task/held", { task: "make" });
      project.write("go", "");
      expect((await first.ended).code).toBe(0);
      expect((await second.ended).code).toBe(0);
      expect(second.tasks("task/done")).toEqual(["make"]);
      expect(project.read("made")).toBe("1\n");
    },
  );

  flowTest("do not miss an input that the other is making anew", async ({ project }) => {
    project.flowFile(`
params: { p: 1 }
tasks:
  make: { targets: [made], actions: ["until [ -e go ]; do sleep 0.05; done; echo \${{ params.p }} > made"] }
  read: { deps: [made], targets: [read], actions: ["cat made > read"] }
`);
    project.write("go", "");
    expect((await project.run("run", "-p", "p=1")).code).toBe(0);
    project.remove("go");
    const first = project.startRun("-p", "p=2", "make");
    await first.event("task/started", { task: "make" });
    const second = project.startRun("-p", "p=2", "--only", "read");
    expect((await second.event("task/held", { task: "read" })).at).toBe("make");
    project.write("go", "");
    expect((await first.ended).code).toBe(0);
    expect((await second.ended).code).toBe(0);
    expect(project.read("read")).toBe("2\n");
  });

  flowTest("do not take what the other has made for an edit by hand", async ({ project }) => {
    project.flowFile(`
params: { p: 1 }
tasks:
  gate: { actions: ["until [ -e go ]; do sleep 0.05; done"] }
  make: { after: [gate], targets: [made], actions: ["echo \${{ params.p }} > made"] }
`);
    project.write("go", "");
    expect((await project.run("run", "-p", "p=1")).code).toBe(0);
    project.remove("go");
    const first = project.startRun("-p", "p=1");
    await first.event("task/started", { task: "gate" });
    expect((await project.run("run", "--only", "make", "-p", "p=2")).code).toBe(0);
    expect(project.read("made")).toBe("2\n");
    project.write("go", "");
    expect((await first.ended).code).toBe(0);
    expect(first.tasks("task/done")).toEqual(["gate", "make"]);
    expect(project.read("made")).toBe("1\n");
  });

  flowTest("with other parameters take turns at files that both use", async ({ project }) => {
    project.flowFile(`
params: { p: 1 }
tasks:
  make: { targets: [made], actions: ["echo \${{ params.p }} > made"] }
  read:
    deps: [made]
    targets: [read]
    actions: ["until [ -e go ]; do sleep 0.05; done; cat made > read; cat made >> seen"]
`);
    const first = project.startRun("-p", "p=1");
    await first.event("task/started", { task: "read" });
    const second = project.startRun("-p", "p=2");
    const held = await second.event("task/held", { task: "make" });
    expect(held.at).toBe("read");
    project.write("go", "");
    expect((await first.ended).code).toBe(0);
    expect((await second.ended).code).toBe(0);
    expect(project.read("seen")).toBe("1\n2\n");
    expect(second.tasks("task/done")).toEqual(["make", "read"]);
  });

  flowTest(
    "promise 2, one live attempt: the second waits for what the first does and finds it fresh",
    async ({ project }) => {
      project.flowFile(TWO_TASKS);
      const first = project.startRun("slow");
      const slow = await project.cmd("slow").next();
      const second = project.startRun();
      await second.event("task/held", { task: "slow" });
      await slow.write("slow.txt", "slow");
      await slow.exit();
      expect((await first.ended).code).toBe(0);
      expect((await second.ended).code).toBe(0);
      expect(second.tasks("task/fresh")).toEqual(["slow"]);
      expect(project.witness.begun()).toEqual(["slow", "after"]);
    },
  );

  flowTest("a run that needs nothing of the other does not wait", async ({ project }) => {
    project.flowFile(`
tasks:
  slow: { targets: [slow.txt], actions: [cmd slow] }
  other: { targets: [other.txt], actions: [cmd --quick other other.txt] }
`);
    const first = project.startRun("slow");
    const slow = await project.cmd("slow").next();
    expect((await project.runEvents("other")).code).toBe(0);
    expect(first.isRunning).toBe(true);
    await slow.write("slow.txt", "slow");
    await slow.exit();
    expect((await first.ended).code).toBe(0);
  });

  flowTest("thirty tasks are each done once by three runs together", async ({ project }) => {
    project.flowFile(`
tasks:
  t:
    matrix: { n: 1..30 }
    targets: ["out/\${{ matrix.n }}.txt"]
    actions: ["cmd --quick t \${{ target }}"]
`);
    const runs = [
      project.startRun("-n", "3"),
      project.startRun("-n", "3"),
      project.startRun("-n", "3"),
    ];
    for (const { ended } of runs) expect((await ended).code).toBe(0);
    const begun = project.witness.begun();
    expect(begun).toHaveLength(30);
    expect(new Set(begun).size).toBe(30);
  });

  flowTest(
    "promise 4, limits: a pool is shared by all runs of the project",
    async ({ project }) => {
      project.flowFile(`
pools: { press: 1 }
tasks:
  one: { pools: { press: 1 }, targets: [one.txt], actions: [cmd one] }
  two: { pools: { press: 1 }, targets: [two.txt], actions: [cmd two] }
`);
      const first = project.startRun("one");
      const one = await project.cmd("one").next();
      const second = project.startRun("two");
      await second.event("run/started");
      await one.write("one.txt", "");
      await one.exit();
      expect((await first.ended).code).toBe(0);
      const two = await project.cmd("two").next();
      await two.write("two.txt", "");
      await two.exit();
      expect((await second.ended).code).toBe(0);
      expect(project.witness.isOrdered("one", "two")).toBe(true);
    },
  );

  flowTest(
    "promise 4, limits: three runs that begin together never exceed a pool",
    async ({ project }) => {
      project.flowFile(`
pools: { press: 1 }
tasks:
  t:
    matrix: { n: 1..9 }
    pools: { press: 1 }
    targets: ["out/\${{ matrix.n }}.txt"]
    actions: ["cmd --quick t \${{ target }}"]
`);
      const runs = [1, 2, 3].map(() => project.startRun("-n", "3"));
      for (const { ended } of runs) expect((await ended).code).toBe(0);
      expect(project.witness.begun()).toHaveLength(9);
      expect(project.witness.mostAtOnce()).toBe(1);
    },
  );

  flowTest("--detach starts a run that goes on alone", async ({ project }) => {
    project.flowFile(TWO_TASKS);
    const { code, stdout, stderr } = await project.run("run", "--detach");
    expect(code).toBe(0);
    expect(stderr).toContain("goes on in the background");
    const slow = await project.cmd("slow").next();
    expect(slow.env["FLOW_RUN_ID"]).toBe(stdout.trim());
    const waiting = project.startRun();
    await waiting.event("task/held", { task: "slow" });
    await slow.write("slow.txt", "slow");
    await slow.exit();
    expect((await waiting.ended).code).toBe(0);
    expect(project.witness.begun()).toEqual(["slow", "after"]);
  });
});

describe("copies of a project", () => {
  flowTest(
    "do not touch each other's tasks, though these have the same names",
    async ({ project }) => {
      const file = "version: 1\ntasks:\n  work: { targets: [out.txt], actions: [cmd work] }\n";
      for (const copy of ["one", "two"]) project.write(`${copy}/flow.yaml`, file);
      const start = (cwd: string) => project.start(["run", "--output", "json"], { cwd });
      const [one, two] = [start("one"), start("two")];
      const first = await project.cmd("work").next();
      const second = await project.cmd("work").next();
      // A stop searches for processes that left the tree, which is where copies could be mixed up.
      const [stopped, other] = first.cwd.endsWith("/one") ? [first, second] : [second, first];
      one.signal("SIGINT");
      await stopped.gone;
      expect((await one.ended).code).toBe(130);
      await other.write("out.txt", "whole");
      await other.exit();
      expect((await two.ended).code).toBe(0);
      expect(two.tasks("warning")).toEqual([]);
    },
  );
});
