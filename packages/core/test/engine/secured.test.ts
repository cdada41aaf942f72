/** What has reached the disk before a backend that is elsewhere gets a job. */
import { expect, it } from "vitest";
import type { RunEvent } from "../../src/engine/run-event.ts";
import type { FakeCall } from "../../src/testing/index.ts";
import { MemoryProject } from "./memory-project.ts";

/** A project whose disk and backend say what is asked of them. */
function open() {
  const project = new MemoryProject();
  project.recipes = [
    { name: "one", needs: [], version: 1, constant: true, ms: 100, fails: 0 },
    { name: "two", needs: [], version: 1, constant: true, ms: 100, fails: 0 },
  ];
  const calls: string[] = [];
  project.disk.sync = (paths) => {
    expect(paths.every((path) => project.disk.stat(path) !== undefined)).toBe(true);
    calls.push(...paths.map((path) => `sync ${path.split("/").at(-1)}`));
    return Promise.resolve();
  };
  const fault = ({ method }: FakeCall): undefined => {
    if (method === "submit") calls.push(method);
  };
  return { project, calls, fault };
}

const capabilities = { local: false, maxBatch: 10 };

it("is the claim and the record of each attempt", async () => {
  const { project, calls, fault } = open();
  expect((await project.run({ fault, capabilities }))?.exitCode).toBe(0);
  const synced = ["sync attempt.json", "sync attempt.json", "sync locks"];
  expect(calls.slice(0, 4)).toEqual([...synced, "submit"]);
});

it("is nothing where the backend goes down with this machine", async () => {
  const { project, calls, fault } = open();
  expect((await project.run({ fault, capabilities: { local: true } }))?.exitCode).toBe(0);
  expect(calls.filter((call) => call !== "submit")).toEqual([]);
});

it("is waited for when the disk refuses", async () => {
  const { project, calls, fault } = open();
  const { sync } = project.disk;
  let refusals = 2;
  project.disk.sync = (paths) => {
    if (refusals-- <= 0) return sync(paths);
    calls.push("refused");
    return Promise.reject(Object.assign(new Error("EIO"), { code: "EIO", syscall: "fsync" }));
  };
  const warnings: string[] = [];
  const listener = (event: RunEvent): void => {
    if (event.type === "warning") warnings.push(event.message);
  };
  expect((await project.run({ fault, listener, capabilities }))?.exitCode).toBe(0);
  expect(calls.indexOf("submit")).toBeGreaterThan(calls.lastIndexOf("refused"));
  expect(warnings[0]).toBe(
    "could not be submitted yet: the attempt cannot be written down: the disk reported an error (EIO, fsync); flow tries again",
  );
  expect([...project.executed].sort()).toEqual(["one", "two"]);
});
