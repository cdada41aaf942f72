import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { systemSuite } from "../../../test/rig/system.ts";

const folder = fileURLToPath(new URL("../tests/", import.meta.url));

systemSuite("python", "the Python helper", () => {
  const files = readdirSync(folder).filter((name) => /^test_.*\.py$/.test(name));

  it.each(files)("passes the tests of %s", { timeout: 600_000 }, (file) => {
    const run = spawnSync("python3", ["-B", "-m", "unittest", file.replace(/\.py$/, "")], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(run.status, run.stderr).toBe(0);
    expect(run.stderr).toMatch(/^Ran [1-9]\d* tests? in .*\n\nOK\n$/m);
  });
});
