/** Queues on file systems that link nothing across folders. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { enlist, publish, readMembership } from "../src/attempt/files.ts";

let links = true;
vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  return {
    ...real,
    linkSync: (from: string, to: string) => {
      if (!links) throw Object.assign(new Error("EXDEV"), { code: "EXDEV" });
      real.linkSync(from, to);
    },
  };
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flow-publish-"));
  for (const each of ["attempt", "queue"]) mkdirSync(join(folder, each));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it.each([true, false])("an entry is there whole and names its attempt (links: %s)", (can) => {
  links = can;
  const [attempt, queue] = [join(folder, "attempt"), join(folder, "queue")];
  const membership = { name: "flow-1", index: 12, generation: 0, pilot: true };
  expect(enlist(attempt, membership)).toBe(true);
  publish(attempt, 0, queue, "0000012.0");
  expect(readdirSync(queue)).toEqual(["0000012.0"]);
  expect(readFileSync(join(queue, "0000012.0"), "utf8")).toBe(`flow-1 12 pilot\n0 ${attempt}\n`);
  expect(readMembership(attempt)).toEqual(membership);
});
