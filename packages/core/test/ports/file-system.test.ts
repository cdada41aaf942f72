import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeFileSystem } from "../../src/ports/node/file-system.ts";
import { describeSystemError } from "../../src/ports/system-error.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flow-files-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function troubleWith(call: () => void): string | undefined {
  try {
    call();
  } catch (error) {
    return describeSystemError(error);
  }
  return undefined;
}

test("a folder that cannot be looked at is an error, a missing one is not", () => {
  const path = join(folder, "n".repeat(300));
  expect(() => nodeFileSystem.list(path)).toThrow(`ENAMETOOLONG: name too long, stat '${path}'`);
  expect(nodeFileSystem.list(join(folder, "missing"))).toBeUndefined();
});

test("a folder in the way of a file is named", () => {
  const path = join(folder, "state");
  mkdirSync(path);
  const trouble = `a folder is in the way where a file has to be; move it away (EISDIR, read) at ${path}`;
  expect(troubleWith(() => nodeFileSystem.read(path))).toBe(trouble);
  expect(troubleWith(() => nodeFileSystem.readPart?.(path, 0, 10))).toBe(trouble);
});

test.runIf(process.platform === "linux")(
  "what cannot be written for lack of space is named",
  () => {
    expect(troubleWith(() => nodeFileSystem.write("/dev/full", "text"))).toBe(
      "the disk is full (ENOSPC, write) at /dev/full",
    );
  },
);

test("what is replaced piece by piece is replaced whole or not at all", () => {
  const path = join(folder, "state");
  nodeFileSystem.replace(path, ["one\n", "two\n"]);
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
  function* breaking(): Iterable<string> {
    yield "three\n";
    throw new Error("no more");
  }
  expect(() => nodeFileSystem.replace(path, breaking())).toThrow("no more");
  expect(readFileSync(path, "utf8")).toBe("one\ntwo\n");
  expect(readdirSync(folder)).toEqual(["state"]);
});

test("a folder that cannot be made says why, not that it is missing", () => {
  const path = join(folder, "nowhere");
  symlinkSync(join(folder, "gone"), path);
  expect(troubleWith(() => nodeFileSystem.makeDirectory(join(path, "a/b")))).toBe(
    `a file is in the way where a folder has to be; move it away (EEXIST, mkdir) at ${path}`,
  );
});

test("what is missing of flow's own folder was removed, and of others is unexpected", () => {
  const write = (path: string) => () => nodeFileSystem.write(join(folder, path), "text");
  expect(troubleWith(write(".flow/tasks/x"))).toBe(
    `flow's own folder, or a part of it, was removed while it was in use (ENOENT, open) at ${folder}/.flow/tasks/x`,
  );
  expect(troubleWith(write("out/x"))).toBeUndefined();
});
