import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { currentClaims, layout, nodeLocks, runId, taskKey } from "../../src/index.ts";

describe("the claims of a project", () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "flow-claims-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it("are none where nothing ever ran", () => {
    expect(currentClaims(root).runs()).toEqual([]);
    expect(currentClaims(root).living()).toEqual([]);
  });

  it("tell the runs that go on from those that left their lock and from claims of tasks", () => {
    const places = layout(root);
    mkdirSync(places.locks, { recursive: true });
    const [alive, dead] = [runId("20261121-101530-k3f9x"), runId("20261121-101531-k3f9x")];
    const lock = nodeLocks.take(places.runLock(alive), alive);
    writeFileSync(places.runLock(dead), "");
    writeFileSync(places.claim(taskKey("0123456789abcdef")), "");
    expect(currentClaims(root).runs()).toHaveLength(2);
    expect(currentClaims(root).living()).toEqual([alive]);
    lock?.release();
    expect(currentClaims(root).living()).toEqual([]);
  });
});
