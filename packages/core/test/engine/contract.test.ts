import { expect, test } from "vitest";
import { contractVariables } from "../../src/engine/contract.ts";
import { attemptKey, runId } from "../../src/model/ids.ts";
import { NO_RESOURCES } from "../../src/model/resources.ts";
import { task } from "./tasks.ts";

test("a variable that no program could be started with is left out", () => {
  const reading = task("gather");
  const withDeps = (deps: readonly string[]): Readonly<Record<string, string>> =>
    contractVariables({
      run: runId("run-001"),
      key: attemptKey(reading.key, 1),
      task: reading,
      attempt: 1,
      reason: "first",
      root: "/p",
      directory: "/p/a",
      scratch: "/p/a/tmp",
      output: "/p/out",
      outputs: {},
      mounts: {},
      checkpoint: undefined,
      events: "/p/a/events",
      stopFile: "/p/a/stop",
      paramsFile: undefined,
      inputsFile: "/p/a/inputs.json",
      stdout: "/p/a/stdout",
      deps,
      uses: {},
      resources: NO_RESOURCES,
      backend: "local",
      compat: [],
      workspace: undefined,
      experiment: undefined,
      pythonPath: undefined,
    });
  // Linux counts the name, the `=` and the zero at the end.
  const longest = 128 * 1024 - "FLOW_DEPS=".length - 1;
  expect(withDeps(["é", "x".repeat(longest - 3)])["FLOW_DEPS"]).toHaveLength(longest - 1);
  const beyond = withDeps(["é", "x".repeat(longest - 2)]);
  expect(beyond["FLOW_DEPS"]).toBeUndefined();
  expect(beyond["FLOW_INPUTS_FILE"]).toBe("/p/a/inputs.json");
});
