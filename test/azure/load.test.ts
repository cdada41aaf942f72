/**
 * What a thousand tasks cost flow itself: calls to the service, and processor time, which is printed and not
 * asserted. Takes minutes, because two hundred of them really run; where all of them do at once, a program
 * that only sleeps stands for each.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect } from "vitest";
import type { FlowProcess } from "../rig/flow-process.ts";
import { type FlowProject, flowTest } from "../rig/flow-test.ts";
import { useServices } from "./account.ts";
import { keysFor, optionsFor, type Services } from "./open-backend.ts";
import type { BatchSimulator } from "./simulator/index.ts";

const TASKS = 1000;
const RUNNING = 200;
const POLL_S = 5;
const WATCHED_S = 60;
/** Of the kernel's clock, in which processor time is counted. */
const TICKS_PER_S = 100;

const isThorough = process.env["FLOW_TEST_FAULTS"] === "1";
const reason = isThorough ? "" : " [FLOW_TEST_FAULTS is not 1]";

/** Processor time of a process so far, in seconds. */
function processorSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}

function bring(project: FlowProject, services: Services, more: object, action: string): void {
  Object.assign(project.env, keysFor(services));
  const quiet = { poll: `${POLL_S}s`, stop_poll: "10m", save: "10m", ...more };
  const azure = { type: "azure-batch", ...optionsFor(services, quiet) };
  const matrix = { n: `1..${TASKS}` };
  const tasks = { work: { backend: "azure", matrix, actions: [action] } };
  writeFileSync(
    project.path("flow.yaml"),
    JSON.stringify({ version: 1, backends: { azure }, tasks }),
  );
}

function callsOf({ exchanges }: BatchSimulator): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { operation } of exchanges)
    counts[String(operation)] = (counts[String(operation)] ?? 0) + 1;
  return counts;
}

/** Prints what the next minute costs, and asserts how often the tasks are listed. */
async function watch(flow: FlowProcess, simulator: BatchSimulator, what: string): Promise<void> {
  const done = flow.tasks("task/done").length;
  const [before, begun] = [callsOf(simulator), processorSeconds(flow.pid)];
  await sleep(WATCHED_S * 1000);
  const [after, spent] = [callsOf(simulator), processorSeconds(flow.pid) - begun];
  const made = Object.entries(after).map(([name, n]) => [name, n - (before[name] ?? 0)] as const);
  process.stdout.write(
    `watching ${what}, ${flow.tasks("task/done").length - done} ended meanwhile: ` +
      `${((100 * spent) / WATCHED_S).toFixed(1)} % of a core; ` +
      `calls in ${WATCHED_S} s: ${made.flatMap(([name, n]) => (n > 0 ? `${n} ${name}` : [])).join(", ")}\n`,
  );
  const lists = (after["Task_List"] ?? 0) - (before["Task_List"] ?? 0);
  expect(lists).toBeLessThanOrEqual((2 * WATCHED_S) / POLL_S);
}

/** Sends all tasks. */
async function started(project: FlowProject, simulator: BatchSimulator): Promise<FlowProcess> {
  const flow = project.startRun();
  while (simulator.inspect().jobs[0]?.tasks.length !== TASKS) await sleep(1000);
  const adds = callsOf(simulator)["Task_AddCollection"] ?? 0;
  expect(adds).toBeLessThanOrEqual(TASKS / 100);
  const seconds = processorSeconds(flow.pid).toFixed(1);
  process.stdout.write(`sending ${TASKS} tasks: ${seconds} s of processor time, ${adds} calls\n`);
  return flow;
}

describe.runIf(isThorough)(`a thousand tasks${reason}`, { timeout: 900_000 }, () => {
  const services = useServices();

  flowTest("are sent in ten calls and watched by one list a question", async ({ project }) => {
    const { simulator } = services;
    const action = "exec sleep $((120 + ${{ matrix.n }} % 200))";
    bring(project, services, { nodes: 1, slots: RUNNING }, action);
    const flow = await started(project, simulator);
    while (flow.tasks("task/started").length < RUNNING || flow.tasks("task/done").length === 0)
      await sleep(1000);
    await watch(flow, simulator, `them, ${RUNNING} at once`);
    await flow.kill();
    expect((await project.run("azure", "gc")).code).toBe(0);
  });
});

/** What the service starts in place of flow's script: it prints a line and sleeps. */
const STAND_IN = `#!/bin/sh
mkdir attempt && echo begun >attempt/stdout && : >attempt/stderr && : >attempt/events.0.jsonl
exec sleep 3600
`;

describe.runIf(isThorough)(`a thousand tasks at once${reason}`, { timeout: 900_000 }, () => {
  const programs = join(tmpdir(), `flow-load-${process.pid}`);
  beforeAll(() => {
    mkdirSync(programs);
    writeFileSync(join(programs, "sh"), STAND_IN, { mode: 0o755 });
    writeFileSync(join(programs, "tar"), "#!/bin/sh\n", { mode: 0o755 });
  });
  afterAll(() => rmSync(programs, { recursive: true }));
  const services = useServices({ nodeEnv: { PATH: `${programs}:${process.env["PATH"]}` } });

  flowTest("are watched by one list a question", async ({ project }) => {
    const { simulator } = services;
    bring(project, services, { nodes: 4, slots: TASKS / 4 }, "true");
    const flow = await started(project, simulator);
    while (flow.tasks("task/started").length < TASKS) await sleep(1000);
    await watch(flow, simulator, `${TASKS} at once`);
    await flow.kill();
    expect((await project.run("azure", "gc")).code).toBe(0);
  });
});
