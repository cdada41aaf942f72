import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { nodeLocks } from "../../src/ports/node/locks.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flow-locks-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Whether another process, which opens the file by its name, could have the lock. */
const isFree = (path: string): boolean =>
  spawnSync("flock", ["-n", "-x", path, "true"]).status === 0;

test("a lock is held until it is released", () => {
  const path = join(folder, "lock");
  const lock = nodeLocks.take(path, "me");
  expect(nodeLocks.isHeld(path)).toBe(true);
  expect(nodeLocks.take(path, "me again")).toBeUndefined();
  lock?.release();
  expect(nodeLocks.isHeld(path)).toBe(false);
});

test("a lock whose file is removed while it is being taken is taken on the new file", () => {
  const path = join(folder, "lock");
  // `flock` as ever, but the first time somebody removes the file just before it.
  writeFileSync(join(folder, "once"), "");
  writeFileSync(
    join(folder, "flock"),
    `#!/bin/sh\nPATH=$REAL_PATH\n[ ! -e ${folder}/once ] || rm ${folder}/once ${path}\nexec flock "$@"\n`,
  );
  chmodSync(join(folder, "flock"), 0o755);
  vi.stubEnv("REAL_PATH", process.env["PATH"]);
  vi.stubEnv("PATH", folder);
  const lock = nodeLocks.take(path, "me");
  expect(lock).toBeDefined();
  rmSync(join(folder, "flock"));
  vi.unstubAllEnvs();
  expect(isFree(path)).toBe(false);
  lock?.release();
  expect(isFree(path)).toBe(true);
});
