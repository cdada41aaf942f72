import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const folder = fileURLToPath(new URL("../tests/", import.meta.url));
const isMissing = spawnSync("python3", ["-c", ""]).status !== 0;

describe.skipIf(isMissing)("the Python helper (needs python3)", () => {
  const files = readdirSync(folder).filter((name) => /^test_.*\.py$/.test(name));

  it.each(files)("passes the tests of %s", { timeout: 120_000 }, (file) => {
    const run = spawnSync("python3", ["-B", "-m", "unittest", file.replace(/\.py$/, "")], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(run.status, run.stderr).toBe(0);
    expect(run.stderr).toMatch(/^Ran [1-9]\d* tests? in .*\n\nOK\n$/m);
  });
});
