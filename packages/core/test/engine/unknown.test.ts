/** What a run tells of tasks of which its backend cannot tell how they are. */
import { expect, it } from "vitest";
import type { RunEvent } from "../../src/engine/run-event.ts";
import type { FakeCall, Fault } from "../../src/testing/index.ts";
import { MemoryProject } from "./memory-project.ts";

function open() {
  const project = new MemoryProject();
  project.recipes = [
    { name: "long", needs: [], version: 1, constant: true, ms: 600_000, fails: 0 },
    { name: "short", needs: [], version: 1, constant: true, ms: 100, fails: 0 },
  ];
  const told: string[] = [];
  const listener = (event: RunEvent): void => {
    if (event.type === "warning") told.push(event.message);
    else if (event.type === "task/unknown") told.push(`${event.task} unknown: ${event.why}`);
    else if (event.type === "task/known") told.push(`${event.task} ${event.at}`);
    else if ("task" in event && event.task === "long") told.push(event.type);
  };
  return { project, told, listener };
}

it("tells once that a task is unknown, that it is known again, and loses nothing by it", async () => {
  const { project, told, listener } = open();
  const fault = ({ method }: FakeCall): Fault | undefined => {
    const seconds = project.clock.now() / 1000;
    return method === "observe" && seconds > 60 && seconds < 300 ? "unknown" : undefined;
  };
  const result = await project.run({ fault, listener });
  expect(told).toEqual([
    "task/stale",
    "task/started",
    expect.stringMatching(/^`local` has not answered for .*; its task goes on meanwhile/),
    "long unknown: the fake system does not answer",
    expect.stringMatching(/^`local` answers again, after /),
    "long running",
    "task/done",
  ]);
  expect(result).toMatchObject({ exitCode: 0, counts: { done: 2, unknown: 0 } });
  expect(project.executed).toEqual(["short", "long"]);
});

it("tells of a task of a dead run that it is unknown until its backend can be asked, and then adopts it", async () => {
  const { project, told, listener } = open();
  const killed = await project.run({ killOn: ({ type }) => type === "task/done" });
  expect(killed).toBeUndefined();
  let refusals = 3;
  const fault = ({ method }: FakeCall): Fault | undefined =>
    method === "reattach" && refusals-- > 0 ? "unavailable" : undefined;
  const result = await project.run({ fault, listener });
  const warning = expect.stringMatching(/^may still run from run run-001: /);
  expect(told).toEqual([
    warning,
    expect.stringMatching(/^long unknown: /),
    warning,
    warning,
    "task/started",
    "task/done",
  ]);
  expect(result).toMatchObject({ exitCode: 0 });
  expect(project.executed).toEqual(["short", "long"]);
});
