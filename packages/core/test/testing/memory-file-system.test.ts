import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FileSystem } from "../../src/ports/file-system.ts";
import { nodeFileSystem } from "../../src/ports/node/file-system.ts";
import { MemoryFileSystem } from "../../src/testing/memory-file-system.ts";
import { MemoryLocks } from "../../src/testing/memory-locks.ts";

let root: string;
beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), "flow-files-"));
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const text = (data: Uint8Array | undefined): string | undefined =>
  data === undefined ? undefined : Buffer.from(data).toString();

const codeOf = (action: () => unknown): unknown => {
  try {
    action();
    return "no error";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
};

/** The double and what it stands for must agree. */
const SYSTEMS = ["memory", "node"] as const;

function open(name: (typeof SYSTEMS)[number]): FileSystem {
  if (name === "node") return nodeFileSystem;
  const memory = new MemoryFileSystem();
  memory.makeDirectory(root);
  return memory;
}

describe.each(SYSTEMS)("the file system of the %s", (name) => {
  test("reads what was written, whole or in part", () => {
    const files = open(name);
    expect(files.read(`${root}/a`)).toBeUndefined();
    expect(files.write(`${root}/a`, "hello")).toBe(true);
    expect(text(files.read(`${root}/a`))).toBe("hello");
    expect(text(files.readPart(`${root}/a`, 1, 3))).toBe("ell");
    expect(text(files.readPart(`${root}/a`, 9, 3))).toBe("");
    expect(files.write(`${root}/a`, "again", { exclusive: true })).toBe(false);
    files.replace(`${root}/a`, Buffer.from("new"));
    expect(text(files.read(`${root}/a`))).toBe("new");
    expect(codeOf(() => files.write(`${root}/none/a`, ""))).toBe("ENOENT");
    expect(codeOf(() => files.write(`${root}/a/b`, ""))).toBe("ENOTDIR");
    expect(codeOf(() => files.write(root, ""))).toBe("EISDIR");
    expect(codeOf(() => files.read(root))).toBe("EISDIR");
  });

  test("lists directories in byte order and removes only empty ones", () => {
    const files = open(name);
    files.makeDirectory(`${root}/d/e`);
    files.makeDirectory(`${root}/d/e`);
    files.write(`${root}/d/b`, "");
    files.write(`${root}/d/B`, "");
    expect(files.list(`${root}/d`)).toEqual([
      { name: "B", kind: "file" },
      { name: "b", kind: "file" },
      { name: "e", kind: "directory" },
    ]);
    expect(files.list(`${root}/d/b`)).toBeUndefined();
    expect(files.removeDirectory(`${root}/d`)).toBe(false);
    expect(files.removeDirectory(`${root}/d/e`)).toBe(true);
    expect(files.removeDirectory(`${root}/d/e`)).toBe(false);
    expect(codeOf(() => files.remove(`${root}/d`))).toBe("EISDIR");
    expect(files.remove(`${root}/d/b`)).toBe(true);
    expect(files.remove(`${root}/d/b`)).toBe(false);
    files.removeTree(`${root}/d`);
    files.removeTree(`${root}/d`);
    expect(files.list(`${root}/d`)).toBeUndefined();
    files.write(`${root}/f`, "");
    expect(codeOf(() => files.makeDirectory(`${root}/f`))).toBe("EEXIST");
  });

  test("renames over files but not over directories that hold something", () => {
    const files = open(name);
    files.write(`${root}/a`, "a");
    files.write(`${root}/b`, "b");
    files.rename(`${root}/a`, `${root}/b`);
    expect(text(files.read(`${root}/b`))).toBe("a");
    expect(files.stat(`${root}/a`)).toBeUndefined();
    expect(codeOf(() => files.rename(`${root}/a`, `${root}/c`))).toBe("ENOENT");
    files.makeDirectory(`${root}/d`);
    files.makeDirectory(`${root}/e/f`);
    expect(codeOf(() => files.rename(`${root}/d`, `${root}/e`))).toBe("ENOTEMPTY");
  });

  test("follows links, except where it must not", () => {
    const files = open(name);
    files.makeDirectory(`${root}/d`);
    files.write(`${root}/d/a`, "a");
    expect(files.link(`${root}/link`, "d")).toBe(true);
    expect(files.link(`${root}/link`, "e")).toBe(false);
    expect(files.readLink(`${root}/link`)).toBe("d");
    expect(files.readLink(`${root}/d`)).toBeUndefined();
    expect(text(files.read(`${root}/link/a`))).toBe("a");
    expect(files.stat(`${root}/link`)?.kind).toBe("directory");
    expect(files.lstat(`${root}/link`)?.kind).toBe("link");
    files.link(`${root}/loop`, `${root}/loop`);
    expect(files.stat(`${root}/loop`)).toBeUndefined();
    files.removeTree(`${root}/link`);
    expect(text(files.read(`${root}/d/a`))).toBe("a");
  });

  test("tells a file that was written again from one that was not", async () => {
    const files = open(name);
    files.write(`${root}/a`, "a");
    const first = files.stat(`${root}/a`);
    expect(files.stat(`${root}/a`)).toEqual(first);
    await new Promise((resolve) => setTimeout(resolve, 20));
    files.write(`${root}/a`, "a");
    expect(files.stat(`${root}/a`)?.signature).not.toBe(first?.signature);
    const digest = createHash("sha256").update("a").digest("hex");
    expect(await files.hash(`${root}/a`)).toBe(digest);
    expect(await files.hash(`${root}/none`)).toBeUndefined();
  });
});

test("a memory file system can refuse a change", () => {
  const changes: string[] = [];
  const files = new MemoryFileSystem({
    before: (operation, path) => {
      changes.push(`${operation} ${path}`);
      if (path === "/full") throw new Error("no space left");
    },
  });
  files.makeDirectory("/a");
  expect(() => files.write("/full", "x")).toThrow("no space left");
  expect(files.read("/full")).toBeUndefined();
  expect(changes).toEqual(["makeDirectory /a", "write /full"]);
});

test("locks are seen by every process and die with theirs", () => {
  const files = new MemoryFileSystem();
  const held = new Set<string>();
  const [one, other] = [new MemoryLocks(files, held), new MemoryLocks(files, held)];
  const lock = one.take("/lock", "run 1");
  expect(text(files.read("/lock"))).toBe("run 1");
  expect(other.take("/lock", "run 2")).toBeUndefined();
  expect(other.isHeld("/lock")).toBe(true);
  lock?.release();
  expect(other.take("/lock", "run 2")).toBeDefined();
  one.die();
  expect(one.isHeld("/lock")).toBe(true);
  other.die();
  expect(one.isHeld("/lock")).toBe(false);
});
