/** Claims of tasks on a real file system, by two runs. */

import { lstatSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Claims } from "../../src/engine/claims.ts";
import { type Layout, layout as layoutOf } from "../../src/engine/layout.ts";
import { type RunId, taskKey } from "../../src/model/ids.ts";
import { nodeFileSystem } from "../../src/ports/node/file-system.ts";

const one = "20261121-000000-aaaaa" as RunId;
const other = "20261121-000000-bbbbb" as RunId;
const [first, second, third] = ["a", "b", "c"].map((digit) => taskKey(digit.repeat(16))) as [
  ReturnType<typeof taskKey>,
  ReturnType<typeof taskKey>,
  ReturnType<typeof taskKey>,
];

let layout: Layout;
const claimsOf = (run: RunId): Claims =>
  new Claims(run, layout, nodeFileSystem, { take: () => undefined, isHeld: () => true });

beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), "flow-claims-")));
  mkdirSync(layout.locks, { recursive: true });
});
afterEach(() => rmSync(layout.root, { recursive: true, force: true }));

describe("the claims of a run", () => {
  it("are held until each is released", () => {
    const claims = claimsOf(one);
    expect([claims.take(first), claims.take(second)]).toEqual(["taken", "taken"]);
    claims.release(first);
    expect(claims.holder(first)).toBeUndefined();
    expect(claims.holder(second)).toBe(one);
    expect(claims.take(third)).toBe("taken");
    expect(claims.all()).toEqual([second, third].map((task) => ({ task, run: one })));
  });

  it.runIf(process.platform === "linux")("are names of one link while one is held", () => {
    const claims = claimsOf(one);
    claims.take(first);
    claims.takeFree(second);
    const inode = (task: typeof first): number => lstatSync(layout.claim(task)).ino;
    expect(inode(second)).toBe(inode(first));
  });

  it("bear its own name after another run has taken what it released", () => {
    const [claims, others] = [claimsOf(one), claimsOf(other)];
    claims.take(first);
    claims.release(first);
    expect(others.take(first)).toBe("taken");
    expect(claims.take(first)).toEqual({ heldBy: other });
    expect(claims.take(second)).toBe("taken");
    expect([claims.holder(first), claims.holder(second)]).toEqual([other, one]);
  });

  it("are not taken twice", () => {
    const [claims, others] = [claimsOf(one), claimsOf(other)];
    claims.take(first);
    others.take(second);
    expect(claims.takeFree(second)).toBe(false);
    expect(others.take(first)).toEqual({ heldBy: one });
    expect(claims.takeFree(first)).toBe(false);
  });

  it("fall back to links of their own when the one they would share is gone", () => {
    const claims = claimsOf(one);
    claims.take(first);
    rmSync(layout.claim(first));
    expect(claims.take(second)).toBe("taken");
    expect(claims.holder(second)).toBe(one);
  });
});
