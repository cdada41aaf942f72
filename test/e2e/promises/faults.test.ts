/**
 * Promise 6 at its hardest: flow is killed at, or the disk refuses, single system calls that change its
 * state. A seeded sample of them; `FLOW_TEST_FAULTS=1` takes every one, `FLOW_TEST_SEED` another sample.
 */
import { readFileSync } from "node:fs";
import { describe, expect } from "vitest";
import { type FlowProject, flowTest } from "../../rig/flow-test.ts";
import { systemSuite } from "../../rig/system.ts";

const FILE = `
tasks:
  a: { deps: [in.txt], targets: [a.txt], actions: [cmd --quick a a.txt] }
  b: { deps: [a.txt], targets: [b.txt], actions: [cmd --quick b b.txt] }
`;

const CALLS = ["write", "openat", "mkdir", "rename", "unlink", "rmdir", "symlink", "link", "flock"];

/** The `n`-th call of that name that has to do with this path. */
interface StateCall {
  readonly call: string;
  readonly path: string;
  readonly n: number;
  readonly line: string;
}

const seed = Number(process.env["FLOW_TEST_SEED"] ?? Date.now() % 1e6);
const isFull = process.env["FLOW_TEST_FAULTS"] === "1";

/** Evenly spread over the run, at a place that the seed decides. */
function sample(calls: readonly StateCall[], size: number): readonly StateCall[] {
  if (isFull) return calls;
  const step = calls.length / size;
  const offset = ((seed * 7919) % 1000) / 1000;
  return Array.from({ length: size }, (_, index) => calls[Math.floor((index + offset) * step)]!);
}

function prepare(project: FlowProject): void {
  project.flowFile(FILE);
  project.write("in.txt", "1");
}

/** Puts the project back to where nothing has ever run. */
function startOver(project: FlowProject): void {
  for (const path of [".flow", "a.txt", "b.txt"]) if (project.has(path)) project.remove(path);
}

/**
 * Runs flow under strace, which sees the calls of the main thread. The run's name is always the same,
 * as `--detach` names one, and so are the paths of its files.
 */
const traced = (project: FlowProject, ...options: readonly string[]) =>
  project.start(["run", "--output", "json", "-n", "1"], {
    wrapper: ["strace", "-qq", "-o", `${project.root}.trace`, "-e", "signal=none", ...options],
    env: { FLOW_DETACHED_RUN: "20260101-000000-test" },
  });

const withFault = (project: FlowProject, { call, path, n }: StateCall, fault: string) =>
  traced(project, "-P", path, "-e", `inject=${call}:${fault}:when=${n}`);

/** The calls of an undisturbed run that change something in `.flow/`, or a target. */
async function stateCalls(project: FlowProject): Promise<readonly StateCall[]> {
  await traced(project, "-y", "-e", `trace=${CALLS.join(",")}`).ended;
  startOver(project);
  const counts = new Map<string, number>();
  const lines = readFileSync(`${project.root}.trace`, "utf8").split("\n");
  return lines.flatMap((line) => {
    const call = /^(\w+)\(/.exec(line)?.[1] ?? "";
    const path = line.match(/(?<=["<])\/[^">]*(?=[">])/g)?.find((each) => isInside(project, each));
    if (path === undefined || (call === "openat" && !line.includes("O_CREAT"))) return [];
    const n = (counts.get(call + path) ?? 0) + 1;
    counts.set(call + path, n);
    return [{ call, path, n, line }];
  });
}

/** In the project, and not named after a process, which another run would name otherwise. */
const isInside = (project: FlowProject, path: string): boolean =>
  path.startsWith(`${project.root}/`) && !/\.\d+\.tmp$/.test(path);

/** The next commands work without repair, and nothing that was done is done again. */
async function expectRecovery(project: FlowProject, fault: StateCall): Promise<void> {
  const what = `after a fault at ${fault.line} (FLOW_TEST_SEED=${seed})`;
  const status = await project.run("status");
  expect(status.code, what).toBe(0);
  const next = await project.runEvents();
  expect(next.code, what).toBe(0);
  expect([project.read("a.txt"), project.read("b.txt")], what).toEqual(["a\n", "b\n"]);
  const last = await project.runEvents();
  expect(last.tasks("task/started"), what).toEqual([]);
  expect(last.code, what).toBe(0);
}

systemSuite("strace", "promise 6, opens after any crash", () => {
  flowTest(
    "after SIGKILL at a system call that changes the state",
    async ({ project }) => {
      prepare(project);
      let hits = 0;
      const faults = sample(await stateCalls(project), 6);
      for (const fault of faults) {
        const flow = withFault(project, fault, "signal=SIGKILL");
        if ((await flow.ended).signal === "SIGKILL") hits += 1;
        await expectRecovery(project, fault);
        startOver(project);
      }
      expect(hits).toBeGreaterThan(faults.length * 0.8);
    },
    900_000,
  );

  flowTest(
    "after a full disk at a system call that changes the state, which ends the run with a message",
    async ({ project }) => {
      prepare(project);
      const calls = await stateCalls(project);
      const refusable = calls.filter(({ call }) => !["unlink", "rmdir", "flock"].includes(call));
      let hits = 0;
      const faults = sample(refusable, 6);
      for (const fault of faults) {
        const flow = withFault(project, fault, "error=ENOSPC");
        const { code, stderr } = await flow.ended;
        if (readFileSync(`${project.root}.trace`, "utf8").includes("INJECTED")) hits += 1;
        expect([0, 1, 3, 4], `${fault.line}\n${stderr}`).toContain(code);
        expect(stderr, fault.line).not.toMatch(/^\s+at .*\.js:/m);
        await expectRecovery(project, fault);
        startOver(project);
      }
      expect(hits).toBeGreaterThan(faults.length * 0.8);
    },
    900_000,
  );
});

describe("a crash in the middle of a long run", () => {
  flowTest("loses no finished task out of hundreds, and repeats none", async ({ project }) => {
    project.flowFile(`
tasks:
  t:
    matrix: { n: 1..200 }
    targets: ["out/\${{ matrix.n }}.txt"]
    actions: ["echo \${{ matrix.n }} >> ran.log; echo > \${{ target }}"]
`);
    for (let crash = 0; crash < 4; crash++) {
      const flow = project.startRun("-n", "2");
      await flow.total("task/done", 30);
      await flow.kill();
    }
    expect((await project.runEvents("-n", "2")).code).toBe(0);
    const ran = project.read("ran.log").trim().split("\n");
    expect(new Set(ran).size).toBe(200);
    expect(ran.length).toBeLessThanOrEqual(200);
  });
});
