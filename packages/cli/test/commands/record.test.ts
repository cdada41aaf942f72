import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ProjectFolder, projectFolder, SMALL } from "../project-folder.ts";

const RUN = /\d{8}-\d{6}-[a-z0-9]{5}/g;
const TIMES = /\b\d+(\.\d+)?(ms|s)\b/g;
const DATE = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g;

/** Text without what differs from run to run. */
const steady = (text: string): string =>
  text.replaceAll(RUN, "RUN").replaceAll(DATE, "DATE").replaceAll(TIMES, "TIME");

async function ran(flow = SMALL): Promise<ProjectFolder> {
  const project = projectFolder({ "flow.yaml": flow });
  expect(await project.flow("run", "-q")).toMatchObject({ code: 0, stderr: "" });
  return project;
}

/** Tasks that go on until a file appears, so that no test sleeps for a guess. */
const LONG = `version: 1
tasks:
  long:
    targets: [made.txt]
    stop: { grace: 20s }
    actions: ["echo begun; until [ -e go ]; do sleep 0.05; done; echo ended > made.txt"]
`;

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("what was waited for did not happen");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function running(): Promise<{
  project: ProjectFolder;
  run: ReturnType<ProjectFolder["start"]>;
}> {
  const project = projectFolder({ "flow.yaml": LONG });
  const run = project.start("run");
  await until(async () => (await project.flow("ps")).stdout.includes("running"));
  await until(async () => (await project.flow("status")).stdout.includes("1 running"));
  return { project, run };
}

describe("flow plan", () => {
  it("says what would run and why, and what may", async () => {
    const { flow } = await ran();
    const { code, stdout } = await flow("plan", "-p", "words=5", "report");
    expect(code).toBe(0);
    // Tasks this short may have taken no time at all.
    const lines = steady(stdout).replaceAll(/ +/g, " ").replaceAll(" TIME", "").split("\n");
    expect(lines.slice(0, 4)).toEqual([
      "· run prep command 1 changed: echo 3 > data.txt → echo 5 > data.txt",
      "~ maybe train ×2 prep runs first and may change what it needs",
      "· run tidy has neither deps nor targets, so it runs every time",
      "~ maybe report train@lr=0.1 runs first and may change what it needs and 1 more",
    ]);
    expect(lines[4]).toMatch(/^2 of 5 tasks would run, 3 more may;/);
  });

  it("exits with 5 when asked to check and something is stale", async () => {
    const { flow } = await ran();
    expect(await flow("plan", "--check", "prep", "train")).toEqual({
      code: 0,
      stdout: "nothing to do: 3 tasks fresh\n",
      stderr: "",
    });
    expect((await flow("plan", "--check", "train", "-p", "words=5")).code).toBe(5);
    expect((await flow("run", "--dry-run", "train", "-p", "words=5")).code).toBe(0);
  });

  it("gives the estimate, the chain that decides it and GPU hours as JSON", async () => {
    const { flow } = await ran();
    const report = JSON.parse((await flow("plan", "--json", "-p", "words=5", "train")).stdout) as {
      tasks: { task: string; verdict: string; reasons: string[] }[];
      estimateMs: [number, number];
      gpuHours: number;
    };
    expect(report.tasks.map(({ task, verdict }) => [task, verdict])).toEqual([
      ["prep", "stale"],
      ["train@lr=0.1", "pending"],
      ["train@lr=1e-3", "pending"],
    ]);
    expect(report.estimateMs[1]).toBeGreaterThanOrEqual(report.estimateMs[0]);
    expect(report.gpuHours).toBe(0);
  });

  it("tells tasks that `when` leaves out", async () => {
    const { flow } = projectFolder({
      "flow.yaml":
        'version: 1\nparams: { gpu: "no" }\ntasks:\n  a: { when: params.gpu == "yes", actions: ["true"] }\n',
    });
    expect((await flow("plan")).stdout).toContain('– skipped  a  not params.gpu == "yes"\n');
  });
});

describe("flow status", () => {
  it("shows every state with its reason", async () => {
    const { flow } = projectFolder({
      "flow.yaml": SMALL.replace('"cat ${{ deps.models }} > ${{ target }}"', '"exit 3"'),
    });
    expect((await flow("run", "-q")).code).toBe(1);
    const { code, stdout, stderr } = await flow("status");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe(`prep        = fresh
train   ×2  = 2 fresh
tidy        · stale    has neither deps nor targets, so it runs every time
report      ✖ failed   exit 3
`);
    const { tasks } = JSON.parse((await flow("status", "--json", "report")).stdout) as {
      tasks: { task: string; state: string }[];
    };
    expect(tasks.find(({ task }) => task === "report")).toMatchObject({
      state: "failed",
      reasons: ["never succeeded before"],
      lastAttempt: { serial: 1, outcome: { type: "failed", code: 3 } },
    });
  });

  it("shows a run that is under way, and what it is at", async () => {
    const { project, run } = await running();
    const { stdout } = await project.flow("status");
    expect(steady(stdout)).toMatch(
      /^run RUN {2}0\/1 {2}TIME {2}1 running {2}pid \d+ on \S+\nlong {2}▶ running {2}run RUN\n$/,
    );
    const { stdout: ps } = await project.flow("ps");
    expect(steady(ps).replaceAll(/ +/g, " ")).toBe(
      "TASK STATE SINCE ATTEMPT BACKEND RUN PROGRESS\nlong running TIME 1 local RUN\n",
    );
    project.write("go", "");
    expect(await run.code).toBe(0);
    expect(await project.flow("ps")).toEqual({
      code: 0,
      stdout: "",
      stderr: "nothing is running\n",
    });
  });
});

describe("flow why", () => {
  it("gives old and new for each reason", async () => {
    const { flow } = await ran();
    expect(steady((await flow("why", "prep", "-p", "words=9")).stdout)).toBe(`prep  stale
  because   command 1 changed: echo 3 > data.txt → echo 9 > data.txt
  param     words: 3 → 9
  success   just now, took TIME, run RUN
`);
  });

  it("says that a task is fresh", async () => {
    const { flow } = await ran();
    expect(steady((await flow("why", "prep")).stdout)).toBe(
      "prep  fresh\n  success   just now, took TIME, run RUN\n",
    );
  });

  it("tells where a file comes from and who needs it", async () => {
    const { flow } = await ran();
    const { stdout } = await flow("why", "data.txt");
    expect(steady(stdout)).toBe(`data.txt
  made by   prep
  command   echo 3 > data.txt
  param     words = 3
  run       RUN, just now, took TIME
  needed by train@lr=0.1
  needed by train@lr=1e-3
`);
    const [origin] = JSON.parse((await flow("why", "--json", "model-0.1.txt")).stdout) as object[];
    expect(origin).toMatchObject({
      path: "model-0.1.txt",
      madeBy: "train@lr=0.1",
      made: { inputs: [{ path: "data.txt" }] },
      neededBy: ["report"],
    });
  });

  it("refuses what is neither", async () => {
    const { flow } = await ran();
    const { code, stderr } = await flow("why", "nothing.txt");
    expect(code).toBe(2);
    expect(stderr).toContain("No task, tag or target is called `nothing.txt`.");
  });
});

describe("flow logs", () => {
  it("gives stdout on stdout and stderr on stderr, byte for byte", async () => {
    const project = await ran(
      "version: 1\ntasks:\n  a: { targets: [t], actions: [\"printf '\\\\033[31mred\\\\377\\\\n' ; echo oops >&2; : > t\"] }\n",
    );
    const { code, stdout, stderr } = await project.flow("logs", "a");
    expect(code).toBe(0);
    expect(stdout).toContain("\u001b[31mred");
    expect(stderr).toBe("oops\n");
    expect((await project.flow("logs", "a", "--err")).stdout).toBe("");
    expect((await project.flow("logs", "a", "--out")).stderr).toBe("");
  });

  it("sanitises for a terminal and hides secrets everywhere", async () => {
    const flow = `version: 1
secrets: [TOKEN]
tasks:
  a: { targets: [t], actions: ["printf '\\\\033[2Jtoken %s\\\\n' \\"$TOKEN\\" >&2; : > t"] }
`;
    const env = { TOKEN: "s3cr3t-value" };
    const project = projectFolder({ "flow.yaml": flow }, { env, terminal: [80, 24] });
    await project.flow("run", "-q");
    expect((await project.flow("logs", "a")).stderr).toBe("token ***\n");
  });

  it("gives the last lines, or an earlier attempt", async () => {
    const project = projectFolder({
      "flow.yaml":
        'version: 1\ntasks:\n  a: { always: true, actions: ["seq 1 2000", "echo run $FLOW_RUN_ID"] }\n',
    });
    await project.flow("run", "-q");
    await project.flow("run", "-q");
    const last = (await project.flow("logs", "a", "--lines", "2")).stdout;
    expect(last).toMatch(/^2000\nrun \S+\n$/);
    const first = (await project.flow("logs", "a", "--lines", "1", "--attempt", "1")).stdout;
    expect(first).toMatch(/^run \S+\n$/);
    expect(first).not.toBe((await project.flow("logs", "a", "--lines", "1")).stdout);
    expect(await project.flow("logs", "a", "--attempt", "7")).toEqual({
      code: 2,
      stdout: "",
      stderr: "flow: a has no attempt 7 on record\n",
    });
  });

  it("gives both streams as JSON lines, whose texts together are what was written", async () => {
    const project = projectFolder({
      "flow.yaml":
        'version: 1\ntasks:\n  a: { always: true, actions: ["printf \'one\\ntwo\'", "echo oops >&2"] }\n',
    });
    await project.flow("run", "-q");
    const { code, stdout, stderr } = await project.flow("logs", "a", "--json");
    const lines = stdout.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { task: "a", attempt: 1, stream: "stdout", text: "one\n" },
      { task: "a", attempt: 1, stream: "stderr", text: "oops\n" },
      { task: "a", attempt: 1, stream: "stdout", text: "two" },
    ]);
    expect([code, stderr]).toEqual([0, ""]);
  });

  it("follows a task until it has ended", async () => {
    const { project, run } = await running();
    const follow = project.start("logs", "long", "-f");
    await until(() => follow.io.stdout.text === "begun\n");
    project.write("go", "");
    expect(await follow.code).toBe(0);
    expect(await run.code).toBe(0);
  });

  it("lists the tasks when several were selected", async () => {
    const { flow } = await ran();
    expect(await flow("logs", "train")).toEqual({
      code: 2,
      stdout: "",
      stderr:
        "flow: `flow logs` takes one task; these were selected:\n  train@lr=0.1\n  train@lr=1e-3\n",
    });
  });
});

describe("flow history", () => {
  it("lists runs, the latest first", async () => {
    const { flow } = await ran();
    await flow("run", "-q");
    expect(steady((await flow("history")).stdout).replaceAll(/ +/g, " ")).toBe(
      "RUN BEGAN TOOK FILE RESULT\n" +
        "RUN DATE TIME flow.yaml 4 fresh, 1 done\nRUN DATE TIME flow.yaml 5 done\n",
    );
    const runs = JSON.parse((await flow("history", "--json", "--limit", "1")).stdout) as object[];
    expect(runs).toMatchObject([{ state: "ended", exitCode: 0, counts: { fresh: 4, done: 1 } }]);
  });

  it("says that there is none", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL });
    expect(await flow("history")).toEqual({
      code: 0,
      stdout: "",
      stderr: "no run is on record\n",
    });
  });
});

describe("flow attach", () => {
  it("shows a run from its beginning to its end, with its exit code", async () => {
    const { project, run } = await running();
    const watch = project.start("attach");
    await until(() => watch.io.stderr.text.includes("start   [0/1] long"));
    project.write("go", "");
    expect(await watch.code).toBe(0);
    expect(watch.io.stderr.text.split("\n").slice(-2)[0]).toMatch(/^✔ 1 done · /);
    expect(await run.code).toBe(0);
  });

  it("can be left without touching the run", async () => {
    const { project, run } = await running();
    const watch = project.start("attach");
    await until(() => watch.io.stderr.text.includes("long"));
    watch.io.signal("SIGINT");
    expect(await watch.code).toBe(130);
    expect(steady(watch.io.stderr.text)).toContain(
      "run RUN goes on; flow attach RUN shows it again\n",
    );
    project.write("go", "");
    expect(await run.code).toBe(0);
  });

  it("says that no run is under way", async () => {
    const { flow } = await ran();
    expect(await flow("attach")).toEqual({
      code: 4,
      stdout: "",
      stderr: "flow: no run is under way; flow history lists past ones.\n",
    });
  });
});

describe("flow forget and accept", () => {
  it("make tasks stale and fresh again without running anything", async () => {
    const { flow } = await ran();
    expect((await flow("forget", "train")).stderr).toBe("forgot 2 tasks; their files stay\n");
    expect((await flow("plan", "--check", "train")).code).toBe(5);
    expect((await flow("accept", "train")).stderr).toBe("accepted 2 tasks as they are\n");
    expect((await flow("plan", "--check", "train")).code).toBe(0);
  });

  it("forgets for good, also when the file of past successes is lost", async () => {
    const { flow, path } = await ran();
    await flow("forget", "train");
    rmSync(join(path, ".flow/traces"));
    expect((await flow("plan", "--check", "prep")).code).toBe(0);
    expect((await flow("plan", "--check", "train")).code).toBe(5);
  });

  it("bless a target that was edited", async () => {
    const { flow, path } = await ran();
    writeFileSync(join(path, "data.txt"), "by hand");
    expect((await flow("why", "prep")).stdout).toContain("data.txt was edited by hand and is kept");
    await flow("accept", "prep");
    expect((await flow("why", "prep")).stdout).not.toContain("edited");
    expect(readFileSync(join(path, "data.txt"), "utf8")).toBe("by hand");
  });

  it("refuse a target that is missing", async () => {
    const { flow } = projectFolder({ "flow.yaml": SMALL });
    const { code, stderr } = await flow("accept", "prep");
    expect(code).toBe(1);
    expect(stderr).toBe(
      "accepted 0 tasks as they are\nflow: prep cannot be accepted: Target `data.txt` was not made.\n",
    );
  });

  it("need to be told what", async () => {
    const { flow } = await ran();
    expect(await flow("forget")).toMatchObject({
      code: 2,
      stderr: "flow: `flow forget` needs either selectors or --all.\n",
    });
    expect((await flow("forget", "--all", "prep")).code).toBe(2);
  });

  it("wait for nobody: while a run is under way they refuse", async () => {
    const { project, run } = await running();
    const { code, stderr } = await project.flow("forget", "--all");
    expect(code).toBe(4);
    expect(steady(stderr)).toBe(
      "flow: run RUN is under way in this project; wait for it, or stop it with flow cancel.\n",
    );
    project.write("go", "");
    await run.code;
  });
});

describe("flow cancel and resolve", () => {
  it("stop a task of a run that lives", async () => {
    const { project, run } = await running();
    expect(await project.flow("cancel", "long")).toEqual({
      code: 0,
      stdout: "",
      stderr: "asking 1 task to stop\nlong  cancelled\n",
    });
    await run.code;
    expect(run.io.stderr.text).toContain("1 cancelled");
    expect(existsSync(join(project.path, "made.txt"))).toBe(false);
  });

  it("stop a task that a dead run left", async () => {
    const { project, run } = await running();
    for (const signal of ["SIGINT", "SIGINT", "SIGINT"] as const) run.io.signal(signal);
    await run.code;
    const { code, stderr } = await project.flow("cancel", "long", "--force");
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^(killing 1 task\nlong {2}cancelled|none of these tasks is running)\n$/,
    );
    expect((await project.flow("ps")).stderr).toBe("nothing is running\n");
  });

  it("say that nothing runs", async () => {
    const { flow } = await ran();
    expect(await flow("cancel", "train")).toEqual({
      code: 0,
      stdout: "",
      stderr: "none of these tasks is running\n",
    });
    expect(await flow("resolve", "prep", "--lost")).toEqual({
      code: 2,
      stdout: "",
      stderr: "flow: prep has no attempt whose end is unknown.\n",
    });
    expect(await flow("resolve", "prep")).toMatchObject({
      code: 2,
      stderr: "flow: `flow resolve` needs either --lost or --done.\n",
    });
  });
});
