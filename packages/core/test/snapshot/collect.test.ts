import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { layout } from "../../src/engine/layout.ts";
import { attemptKey, runId, taskKey } from "../../src/model/ids.ts";
import { nodeFileSystem } from "../../src/ports/node/file-system.ts";
import { captureTree } from "../../src/snapshot/capture.ts";
import { collectCode } from "../../src/snapshot/collect.ts";
import { putObject, readObject, readTree } from "../../src/snapshot/store.ts";
import { sha256 } from "../../src/trace/fingerprint.ts";

describe("captured code that no record names", () => {
  it("goes, with what only it held; everything that is named stays whole", async () => {
    const root = fs.mkdtempSync(join(tmpdir(), "flow-collect-"));
    onTestFinished(() => fs.rmSync(root, { recursive: true, force: true }));
    const places = layout(root);
    const capture = async (text: string): Promise<string> => {
      fs.writeFileSync(join(root, "own.py"), text);
      fs.writeFileSync(join(root, "shared.py"), "shared\n");
      const code = { include: [], omit: [] };
      return (await captureTree({ root, code, products: [] })).tree;
    };
    const [old, named, ofRun] = [await capture("1\n"), await capture("2\n"), await capture("3\n")];
    const packages = sha256("numpy==2\n");
    putObject(places, packages, "numpy==2\n");
    const attempt = places.attempt(attemptKey(taskKey("0123456789abcdef"), 1));
    fs.mkdirSync(attempt, { recursive: true });
    fs.writeFileSync(`${attempt}/attempt.json`, JSON.stringify({ code: { tree: named } }));
    fs.writeFileSync(`${attempt}/result.json`, JSON.stringify({ environment: { packages } }));
    fs.mkdirSync(places.run(runId("r")), { recursive: true });
    fs.writeFileSync(places.code(runId("r")), JSON.stringify({ tree: ofRun }));

    expect(collectCode(places, nodeFileSystem)).toMatchObject({ trees: 1, objects: 1 });
    expect(() => readTree(places, old)).toThrow("there is no stored code tree");
    for (const tree of [named, ofRun]) {
      for (const { content } of readTree(places, tree)) readObject(places, content);
    }
    expect(readObject(places, packages).toString()).toBe("numpy==2\n");
    expect(collectCode(places, nodeFileSystem)).toEqual({ trees: 0, objects: 0, bytes: 0 });
    expect(await capture("1\n")).toBe(old);
    for (const { content } of readTree(places, old)) readObject(places, content);
  });
});
