import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runId } from "../../src/model/ids.ts";
import type { Task } from "../../src/model/task.ts";
import { nodeFileSystem } from "../../src/ports/node/file-system.ts";
import { checkEvidence, writeEvidence } from "../../src/trace/evidence.ts";
import { sha256 } from "../../src/trace/fingerprint.ts";
import { Inspector } from "../../src/trace/inspect.ts";
import { recordEvidence } from "../../src/trace/record-evidence.ts";
import { TraceStore } from "../../src/trace/store.ts";
import { task } from "../graph/sketch.ts";

let root: string;
let file: string;

beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), "flow-evidence-"));
  fs.mkdirSync(join(root, ".flow"));
  file = join(root, ".flow/fresh");
});

afterEach(() => fs.rmSync(root, { recursive: true }));

const put = (path: string, text: string): void => {
  fs.mkdirSync(join(root, path, ".."), { recursive: true });
  fs.writeFileSync(join(root, path), text);
};

const request = "run all";
const terms = { request, env: { SET: "1", UNSET: undefined }, summary: { fresh: 2 } };
const env = { SET: "1", OTHER: "x" };

function write(...paths: readonly string[]): boolean {
  return writeEvidence(
    file,
    terms,
    paths.map((path) => join(root, path)),
    () => true,
  );
}

describe("evidence", () => {
  test("holds while nothing changed, and brings its summary back", () => {
    put("a", "1");
    put("d/b", "2");
    expect(write("a", "d", "d/b", "absent")).toBe(true);
    expect(checkEvidence(file, request, env)).toEqual({ summary: { fresh: 2 } });
  });

  test("falls with every change of a file, a directory, an absence, a variable or the request", () => {
    const changes: readonly (readonly [string, () => void])[] = [
      ["content", () => put("a", "2")],
      ["removal", () => fs.rmSync(join(root, "a"))],
      [
        "another file in its place",
        () => {
          put("new", "1");
          fs.renameSync(join(root, "new"), join(root, "a"));
        },
      ],
      ["a file where none was", () => put("absent", "")],
      ["one more in a directory", () => put("d/c", "")],
      ["older times", () => fs.utimesSync(join(root, "a"), 1, 1)],
    ];
    for (const [what, change] of changes) {
      fs.rmSync(join(root, "absent"), { force: true });
      put("a", "1");
      put("d/b", "2");
      write("a", "d", "d/b", "absent");
      expect([what, checkEvidence(file, request, env) !== undefined]).toEqual([what, true]);
      change();
      expect([what, checkEvidence(file, request, env)]).toEqual([what, undefined]);
    }
    write("d");
    expect(checkEvidence(file, "run other", env)).toBeUndefined();
    expect(checkEvidence(file, request, { SET: "2" })).toBeUndefined();
    expect(checkEvidence(file, request, { SET: "1", UNSET: "" })).toBeUndefined();
  });

  test("that is damaged anywhere proves nothing and breaks nothing", () => {
    put("a", "1");
    write("a", "absent");
    const bytes = fs.readFileSync(file);
    for (let length = 0; length < bytes.length; length++) {
      fs.writeFileSync(file, bytes.subarray(0, length));
      expect(checkEvidence(file, request, env)).toBeUndefined();
    }
    fs.writeFileSync(file, Buffer.concat([bytes, Buffer.from("x")]));
    expect(checkEvidence(file, request, env)).toBeUndefined();
    fs.rmSync(file);
    expect(checkEvidence(file, request, env)).toBeUndefined();
  });

  test("is not left when something changed since it was verified, or has a name that cannot be listed", () => {
    put("a", "1");
    expect(writeEvidence(file, terms, [join(root, "a")], () => false)).toBe(false);
    expect(write("a\nb")).toBe(false);
    expect(fs.existsSync(file)).toBe(false);
  });
});

const t: Task = task("t", { deps: ["a", "d/", "*.csv"], targets: ["out"] });

/** Runs the task if it must, judges it again, and leaves evidence if that finds it fresh. */
async function leave(tasks: readonly Task[], before: () => void = () => {}): Promise<boolean> {
  const path = join(root, ".flow/traces");
  const traces = new TraceStore(nodeFileSystem, path);
  const inspector = (): Inspector =>
    new Inspector({
      root,
      fileSystem: nodeFileSystem,
      // A minute from now every signature is ripe.
      wall: () => Date.now() + 60_000,
      sleep: () => Promise.resolve(),
      ignore: [],
      env: {},
      valuesFile: () => undefined,
      runCommand: () => Promise.resolve({ code: 0, stdout: "", message: "" }),
      traces,
    });
  for (const one of tasks) {
    const inspection = await inspector().inspect(one);
    if (inspection.verdict !== "stale") continue;
    for (const target of one.targets) put(target.path, "made");
    const { key, id, file: from, targets, values } = one;
    const at = { run: runId("r"), serial: 1, durationMs: 1, endedAt: 1 };
    const { inputs } = inspection;
    const done = await inspector().conclude({
      key,
      task: id,
      file: from,
      targets,
      values,
      inputs,
      ...at,
    });
    if (done.ok) traces.put(key, done.value);
  }
  const last = inspector();
  for (const one of tasks) await last.inspect(one);
  traces.save();
  before();
  const flowFile = join(root, "flow.yaml");
  const digest = sha256(fs.readFileSync(flowFile));
  return recordEvidence({
    file,
    request,
    summary: {},
    tasks,
    inputs: {
      files: [
        { path: flowFile, digest },
        { path: join(root, ".env"), digest: undefined },
      ],
      env: {},
    },
    env: {},
    looked: last.looked,
    traces: { path, signature: traces.signature },
    fileSystem: nodeFileSystem,
  });
}

describe("evidence of a run", () => {
  beforeEach(() => {
    for (const path of ["flow.yaml", "a", "d/deep/x", "one.csv"]) put(path, path);
  });

  test("covers deps, what lies in directories, globs, targets, the flow file and the traces", async () => {
    const changes: readonly (() => void)[] = [
      () => put("a", "changed"),
      () => put("d/deep/x", "changed"),
      () => put("d/deep/y", "new"),
      () => put("two.csv", "new"),
      () => put("one.csv", "changed"),
      () => put("out", "edited"),
      () => put("flow.yaml", "changed"),
      () => put(".env", "A=1"),
      () => put(".flow/traces", ""),
    ];
    for (const change of changes) {
      expect(await leave([t])).toBe(true);
      expect(checkEvidence(file, request, {})).toEqual({ summary: {} });
      change();
      expect(checkEvidence(file, request, {})).toBeUndefined();
      for (const path of [".env", "two.csv", "d/deep/y"])
        fs.rmSync(join(root, path), { force: true });
      put("out", "made");
    }
  });

  test("is not left when a file changed between the verdict and the end", async () => {
    expect(await leave([t], () => put("a", "changed"))).toBe(false);
  });

  test("is not left where stat signatures are not enough", async () => {
    const condition = { expression: "env.X", message: undefined, span: t.span };
    for (const more of [
      { always: true },
      { fresh: "true" },
      { when: condition },
      { require: [condition] },
      { track: [{ kind: "cmd" as const, command: "x", shell: "sh" as const }] },
      { deps: [], targets: [] },
    ]) {
      expect([more, await leave([{ ...t, ...more }])]).toEqual([more, false]);
    }
    const tracked: Task = { ...t, track: [{ kind: "env", name: "CUDA" }] };
    expect(await leave([tracked])).toBe(true);
    expect(checkEvidence(file, request, { CUDA: "12" })).toBeUndefined();
  });
});

test("checking evidence loads no module but the file system", () => {
  const source = fs.readFileSync(new URL("../../src/trace/evidence.ts", import.meta.url), "utf8");
  expect([...source.matchAll(/from "([^"]+)"/g)].map((match) => match[1])).toEqual(["node:fs"]);
});
