/** The options of `type: local` in the flow file. */

import { expect, it } from "vitest";
import { backend } from "../src/index.ts";

it("may all be absent", () => {
  const none = { ok: true, value: { cpusMilli: undefined, memoryBytes: undefined } };
  expect(backend.parseOptions({})).toEqual(none);
  expect(backend.parseOptions(undefined)).toEqual(none);
});

it("give cpus and memory", () => {
  expect(backend.parseOptions({ cpus: 1.5, mem: "2GiB" })).toEqual({
    ok: true,
    value: { cpusMilli: 1500, memoryBytes: 2 ** 31 },
  });
  expect(backend.parseOptions({ cpus: "4" })).toMatchObject({ value: { cpusMilli: 4000 } });
});

it.each([
  [{ cpu: 1 }, ["cpu"], "Unknown option `cpu`; known are `cpus` and `mem`."],
  [{ cpus: 0 }, ["cpus"], "Expected a number of cpus above 0, such as 4 or 1.5."],
  [{ cpus: "many" }, ["cpus"], "Expected a number of cpus above 0, such as 4 or 1.5."],
  [{ mem: "lots" }, ["mem"], "Expected an amount of memory, such as `8GB`."],
  [{ mem: -1 }, ["mem"], "Expected an amount of memory, such as `8GB`."],
  [[], [], "Expected a map of options."],
])("are refused where they make no sense: %j", (input, path, message) => {
  expect(backend.parseOptions(input)).toEqual({ ok: false, error: [{ path, message }] });
});

it("are not known for a task", () => {
  expect(backend.parseTaskOptions(undefined)).toEqual({ ok: true, value: {} });
  expect(backend.parseTaskOptions({ nice: 1 })).toEqual({
    ok: false,
    error: [{ path: ["nice"], message: "Unknown option `nice`; none is known." }],
  });
});
