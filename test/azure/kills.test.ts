/**
 * flow killed with SIGKILL at the very moment a request arrives: the next run does nothing twice and leaves
 * nothing. Tasks note what they do outside of the project. What is left of a flow that is never run again:
 * `leavings.test.ts`.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { type FlowProject, flowTest } from "../rig/flow-test.ts";
import { useServices } from "./account.ts";
import { keysFor, optionsFor } from "./open-backend.ts";

const services = useServices();
const isThorough = process.env["FLOW_TEST_FAULTS"] === "1";

const MOMENTS = ["Job_Add", "Task_AddCollection", "Job_Delete"];

/** Points of a thorough sweep: so many requests are let through. */
const POINTS = Array.from({ length: 40 }, (_, index) => index);

function bring(project: FlowProject): void {
  const path = join(project.root, "../notes");
  Object.assign(project.env, keysFor(services));
  const note = (kind: string): string => `echo ${kind} \${{ matrix.n }} >>'${path}'`;
  // A lock is let go when its holder dies, so whoever finds it taken runs beside another attempt.
  const lock = `exec 9>'${path}'.\${{ matrix.n }}; flock -n 9 || ${note("twice")}`;
  const tasks = {
    part: {
      matrix: { n: [1, 2, 3] },
      targets: ["out/${{ matrix.n }}"],
      actions: [`${lock}; ${note("begin")}; sleep 0.4; echo made >\${{ target }}; ${note("end")}`],
    },
  };
  const azure = { type: "azure-batch", ...optionsFor(services) };
  const file = { version: 1, backends: { azure }, defaults: { backend: "azure" }, tasks };
  project.write("flow.yaml", JSON.stringify(file));
}

const notes = (project: FlowProject): readonly string[] => {
  const path = join(project.root, "../notes");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
};

const ONCE = ["begin 1", "begin 2", "begin 3", "end 1", "end 2", "end 3"];
const sorted = (lines: readonly string[]): readonly string[] =>
  [...lines].sort((a, b) => (a < b ? -1 : 1));

/** Runs flow until that many matching requests have come and one more does, then kills it. */
async function killedAt(project: FlowProject, operation?: string, after = 0): Promise<void> {
  const { faults } = services.simulator;
  const flow = project.startRun();
  const tell = (): void => flow.signal("SIGKILL");
  faults.inject({
    fault: { kind: "tell", tell },
    after,
    ...(operation === undefined ? {} : { operation }),
  });
  await flow.ended;
  faults.calm();
}

async function expectEmptyAccount(): Promise<void> {
  await services.simulator.until("an empty account", ({ jobs, pools }) => {
    return jobs.length + pools.length === 0;
  });
}

async function expectTakenUp(project: FlowProject): Promise<void> {
  expect(await project.run("run")).toMatchObject({ code: 0 });
  expect(sorted(notes(project))).toEqual(ONCE);
  await expectEmptyAccount();
}

describe("flow killed", () => {
  for (const moment of MOMENTS)
    flowTest(`when ${moment} arrives is taken up by the next run`, async ({ project }) => {
      bring(project);
      await killedAt(project, moment);
      await expectTakenUp(project);
    });
});

const reason = isThorough ? "" : " [FLOW_TEST_FAULTS is not 1]";

describe.runIf(isThorough)(`flow killed at any request${reason}`, { timeout: 300_000 }, () => {
  for (const point of POINTS)
    flowTest(`after ${point} others is taken up by the next run`, async ({ project }) => {
      bring(project);
      await killedAt(project, undefined, point);
      await expectTakenUp(project);
    });
});
