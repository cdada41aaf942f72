/** A program that knows nothing of flow, killed in every way, ends with the weights it would have had. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { describe, expect } from "vitest";
import type { FlowProcess } from "../../rig/flow-process.ts";
import { type FlowProject, flowTest } from "../../rig/flow-test.ts";
import { MARK, processesOf } from "../../rig/processes.ts";
import { until } from "../../rig/until.ts";

/** Steps so slow that the program does not end before it is killed. */
const SLOW = ["-f", "micro-mnist.flow.yaml", "-p", "step_seconds=0.5"];
const QUICK = ["-f", "micro-mnist.flow.yaml", "-p", "step_seconds=0.05"];

/** The checkpoint of a run by hand that nothing disturbed. */
function undisturbed(project: FlowProject): unknown {
  execFileSync(process.execPath, ["micro-mnist/micro-mnist.mjs"], {
    cwd: project.root,
    env: { XT_OUTPUT_MNT: project.path("by-hand"), STEP_SECONDS: "0" },
  });
  return JSON.parse(project.read("by-hand/checkpoint.json"));
}

/** The log of the task's latest attempt. */
function logOf(flow: FlowProcess): string {
  const started = flow.events.findLast((event) => event.type === "task/started");
  return started?.type === "task/started" && existsSync(started.stdout)
    ? readFileSync(started.stdout, "utf8")
    : "";
}

async function startAndReach(project: FlowProject, step: number): Promise<FlowProcess> {
  project.copy("workflows");
  const flow = project.startRun(...SLOW);
  await flow.event("task/started");
  await until(`step ${step}`, () => logOf(flow).includes(`step ${step} of 10`));
  return flow;
}

function signalProgram(project: FlowProject, signal: NodeJS.Signals): void {
  const program = processesOf(project.env[MARK] ?? "").find(({ command }) =>
    /^node \S*micro-mnist/.test(command),
  );
  if (program === undefined) throw new Error("the program has ended too soon");
  process.kill(program.pid, signal);
}

describe("workflows/micro-mnist", () => {
  flowTest("goes on with the next step after its program was killed", async ({ project }) => {
    const flow = await startAndReach(project, 2);
    signalProgram(project, "SIGKILL");
    expect((await flow.ended).code).toBe(0);
    expect(flow.tasks("task/again")).toEqual(["train"]);
    expect(logOf(flow)).toMatch(/^resuming from step ([3-9]|10)\n/);
    expect(JSON.parse(project.read("out/micro-mnist/checkpoint.json"))).toEqual(
      undisturbed(project),
    );
  });

  flowTest("runs on when flow is killed, and the next run adopts it", async ({ project }) => {
    const first = await startAndReach(project, 2);
    // It waits, so that it cannot end before the next run is there.
    signalProgram(project, "SIGSTOP");
    await first.kill();
    const second = project.startRun(...QUICK);
    expect((await second.event("task/started")).adoptedSince).toBeTypeOf("number");
    signalProgram(project, "SIGCONT");
    expect((await second.ended).code).toBe(0);
    expect(logOf(second)).toMatch(/^starting\n/);
    expect(JSON.parse(project.read("out/micro-mnist/checkpoint.json"))).toEqual(
      undisturbed(project),
    );
  });

  flowTest("goes on with the next step after the power failed", async ({ project }) => {
    const first = await startAndReach(project, 2);
    project.powerOff();
    await first.ended;
    const second = await project.runEvents(...QUICK);
    expect(second.code).toBe(0);
    expect(logOf(second)).toMatch(/^resuming from step ([3-9]|10)\n/);
    expect(JSON.parse(project.read("out/micro-mnist/checkpoint.json"))).toEqual(
      undisturbed(project),
    );
  });
});
