/** What a person is told of a backend that does not answer. */
import { expect, it } from "vitest";
import { Absences } from "../../src/engine/absence.ts";
import { taskId } from "../../src/model/ids.ts";
import { exitWith } from "../../src/model/outcome.ts";
import type { Task } from "../../src/model/task.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";

type Named = Pick<Task, "id" | "template">;

const [a, b] = ["a", "b"].map((id) => ({ id: taskId(id), template: "t" })) as [Named, Named];
const silent = { type: "unknown", why: "no controller" } as const;
const running = { type: "running", since: undefined, node: undefined } as const;

function open() {
  const clock = new VirtualClock();
  const told: string[] = [];
  const tasks: string[] = [];
  const absences = new Absences(clock, {
    warn: (message) => told.push(message),
    unknown: ({ id }, why) => tasks.push(`${id}: ${why}`),
    known: ({ id }, at) => tasks.push(`${id} ${at}`),
  });
  const wait = async (milliseconds: number) => {
    clock.after(milliseconds, () => {});
    await clock.advance(milliseconds);
  };
  return { absences, told, tasks, wait };
}

it("a silence that lasts is told once, with its length, its reason and what goes on", async () => {
  const { absences, told, wait } = open();
  for (let n = 0; n < 5; n++) {
    absences.saw("cluster", a, silent);
    absences.saw("cluster", b, silent);
    await wait(6000);
  }
  expect(told).toEqual([
    "`cluster` has not answered for 12s: no controller; its 2 tasks go on meanwhile, and what ends counts",
  ]);
  absences.saw("cluster", a, { type: "ended", exit: exitWith({ code: 0 }) });
  expect(told).toHaveLength(1);
  absences.saw("cluster", b, running);
  absences.saw("cluster", b, running);
  expect(told.slice(1)).toEqual(["`cluster` answers again, after 30s"]);
});

it("a short silence is not told, nor is one about some of the tasks", async () => {
  const { absences, told, wait } = open();
  absences.saw("cluster", a, silent);
  await wait(6000);
  absences.saw("cluster", a, running);
  for (let n = 0; n < 5; n++) {
    absences.saw("cluster", a, silent);
    absences.saw("cluster", b, running);
    await wait(6000);
  }
  expect(told).toEqual([]);
});

it("a task of which nothing is known for a while is told of once, and again when something is", async () => {
  const { absences, tasks, wait } = open();
  for (let n = 0; n < 4; n++) {
    absences.saw("cluster", a, silent);
    absences.saw("cluster", b, n < 2 ? silent : running);
    await wait(6000);
  }
  expect(tasks).toEqual(["a: no controller"]);
  absences.saw("cluster", a, { type: "queued", why: undefined });
  absences.saw("cluster", a, running);
  expect(tasks).toEqual(["a: no controller", "a queued"]);
  absences.saw("cluster", a, silent);
  await wait(12_000);
  absences.saw("cluster", a, { type: "ended", exit: exitWith({ code: 0 }) });
  absences.saw("cluster", a, running);
  expect(tasks).toHaveLength(2);
});

it("each backend has a silence of its own", async () => {
  const { absences, told, wait } = open();
  absences.saw("cluster", a, silent);
  await wait(10_000);
  absences.saw("other", b, running);
  absences.saw("cluster", a, silent);
  expect(told).toEqual([
    "`cluster` has not answered for 10s: no controller; its task goes on meanwhile, and what ends counts",
  ]);
});

it("a silence is over with the last task that it was about", async () => {
  const { absences, told, wait } = open();
  absences.saw("cluster", a, silent);
  absences.saw("cluster", a, { type: "ended", exit: exitWith({ code: 0 }) });
  await wait(60_000);
  absences.saw("cluster", b, silent);
  expect(told).toEqual([]);
});
