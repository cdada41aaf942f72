/**
 * What a thousand tasks cost flow itself: calls to the service, and processor time, which is printed and not
 * asserted. Takes minutes, because two hundred of them really run.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "vitest";
import { flowTest } from "../rig/flow-test.ts";
import { useServices } from "./account.ts";
import { keysFor, optionsFor } from "./open-backend.ts";

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

describe.runIf(isThorough)(`a thousand tasks${reason}`, { timeout: 900_000 }, () => {
  const services = useServices();

  flowTest("are sent in ten calls and watched by one list a question", async ({ project }) => {
    const { simulator } = services;
    Object.assign(project.env, keysFor(services));
    const more = { nodes: 1, slots: RUNNING, poll: `${POLL_S}s`, stop_poll: "10m", save: "10m" };
    const azure = { type: "azure-batch", ...optionsFor(services, more) };
    const matrix = { n: `1..${TASKS}` };
    const tasks = {
      work: { backend: "azure", matrix, actions: ["exec sleep $((120 + ${{ matrix.n }} % 200))"] },
    };
    const file = { version: 1, backends: { azure }, tasks };
    writeFileSync(project.path("flow.yaml"), JSON.stringify(file));
    const flow = project.startRun();
    const calls = (): Record<string, number> => {
      const counts: Record<string, number> = {};
      for (const { operation } of simulator.exchanges)
        counts[String(operation)] = (counts[String(operation)] ?? 0) + 1;
      return counts;
    };
    await simulator.until("all tasks", ({ jobs }) => jobs[0]?.tasks.length === TASKS);
    expect(calls()["Task_AddCollection"]).toBeLessThanOrEqual(TASKS / 100);
    const sending = processorSeconds(flow.pid);
    while (flow.tasks("task/started").length < RUNNING || flow.tasks("task/done").length === 0)
      await sleep(1000);

    const done = flow.tasks("task/done").length;
    const [before, begun] = [calls(), processorSeconds(flow.pid)];
    await sleep(WATCHED_S * 1000);
    const [after, spent] = [calls(), processorSeconds(flow.pid) - begun];
    const made = Object.entries(after).map(([name, n]) => [name, n - (before[name] ?? 0)] as const);
    process.stdout.write(
      `sending ${TASKS} tasks: ${sending.toFixed(1)} s of processor time, ${after["Task_AddCollection"]} calls\n` +
        `watching them, ${RUNNING} at once, ${flow.tasks("task/done").length - done} ended meanwhile: ` +
        `${((100 * spent) / WATCHED_S).toFixed(1)} % of a core; ` +
        `calls in ${WATCHED_S} s: ${made.flatMap(([name, n]) => (n > 0 ? `${n} ${name}` : [])).join(", ")}\n`,
    );
    const lists = (after["Task_List"] ?? 0) - (before["Task_List"] ?? 0);
    expect(lists).toBeLessThanOrEqual((2 * WATCHED_S) / POLL_S);
    await flow.kill();
    expect((await project.run("azure", "gc")).code).toBe(0);
  });
});
