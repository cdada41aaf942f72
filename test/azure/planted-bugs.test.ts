/**
 * Whether the tests of promises can fail: with each planted bug it must. Takes some minutes, so only
 * `npm run test:faults` does it; that the bugs can still be planted is checked always.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { type PlantedBug, plantedBugs } from "./planted-bugs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const named = plantedBugs.map((each) => [each.bug, each] as const);
const isThorough = process.env["FLOW_TEST_FAULTS"] === "1";

it.each(named)("a backend that %s can be made", (_, { file, find }) => {
  const text = readFileSync(join(root, "packages/backend-azure", file), "utf8");
  expect(text.split(find)).toHaveLength(2);
});

const reason = isThorough ? "" : " [FLOW_TEST_FAULTS is not 1]";

describe.runIf(isThorough)(`a backend${reason}`, { timeout: 300_000 }, () => {
  it("without a bug keeps its promises", () => {
    expect(promisesWith(undefined)).toMatchObject({ status: 0 });
  });

  it.each(named)("that %s is found out", (_, bug) => {
    const { status, output } = promisesWith(bug);
    expect(status, output).toBe(1);
    expect(output).toMatch(/AssertionError|Error: (waited|Test timed out|\{)|ServiceError/);
  });
});

/** Runs the promises over a copy of the backend. */
function promisesWith(bug: PlantedBug | undefined): { status: number | null; output: string } {
  const copy = mkdtempSync(join(tmpdir(), "flow-planted-"));
  try {
    for (const part of ["src", "node", "package.json"])
      cpSync(join(root, "packages/backend-azure", part), join(copy, part), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    if (bug !== undefined) {
      const path = join(copy, bug.file);
      writeFileSync(
        path,
        readFileSync(path, "utf8").replace(bug.find, () => bug.replace),
      );
    }
    const vitest = join(root, "node_modules/vitest/vitest.mjs");
    const args = [vitest, "run", "--config", join(root, "test/azure/planted.config.ts")];
    if (bug !== undefined) args.push("-t", bug.breaks);
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: root,
      env: { ...process.env, FLOW_PLANTED: copy, FLOW_TEST_FAULTS: "0", NO_COLOR: "1" },
      encoding: "utf8",
    });
    return { status, output: stdout + stderr };
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
