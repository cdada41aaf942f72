import { describe, expect, test } from "vitest";
import { compilePlan, type Plan } from "../../src/graph/plan.ts";
import { select } from "../../src/graph/select.ts";
import { MemoryFileSystem } from "../../src/testing/memory-file-system.ts";
import { cacheName } from "../../src/trace/cache-name.ts";
import { sha256 } from "../../src/trace/fingerprint.ts";
import { type CachedPlan, loadPlan, savePlan } from "../../src/trace/plan-cache.ts";
import { dep, graphOf, task } from "../graph/sketch.ts";

const directory = "/project/.flow/cache";
const env = { HOME: "/home" };
const ripe = (): number => 4_000_000_000_000;

function planOf(): Plan {
  const graph = graphOf([task("a", { targets: ["x"] }), task("b", { deps: [dep("x")] })]);
  const selection = select(graph, []);
  if (!selection.ok) throw new Error("unreachable");
  return compilePlan(graph, selection.value);
}

function setUp(wall: () => number = ripe): {
  files: MemoryFileSystem;
  load: (request?: string, changed?: Record<string, string>) => CachedPlan | undefined;
} {
  const files = new MemoryFileSystem();
  files.makeDirectory(directory);
  files.write("/project/flow.yaml", "tasks");
  files.write("/project/data.csv", "1");
  const inputs = {
    files: [
      { path: "/project/flow.yaml", digest: sha256("tasks") },
      { path: "/project/.env", digest: undefined },
    ],
    env: { HOME: "/home", MISSING: undefined },
  };
  const cached = { plan: planOf(), inputs, warnings: ["a warning"] };
  savePlan(directory, "request", cached, ["/project/data.csv"], files, wall);
  const load = (
    request = "request",
    changed: Record<string, string> = env,
  ): CachedPlan | undefined => loadPlan(directory, request, changed, files);
  return { files, load };
}

describe("cached plans", () => {
  test("come back while nothing they were made from changed", () => {
    const { load } = setUp();
    const { machine: _machine, backends: _backends, extraPools: _pools, ...frozen } = planOf();
    expect(load()).toEqual({
      plan: frozen,
      inputs: {
        files: [
          { path: "/project/flow.yaml", digest: sha256("tasks") },
          { path: "/project/.env", digest: undefined },
        ],
        env: { HOME: "/home", MISSING: undefined },
      },
      warnings: ["a warning"],
    });
  });

  test("do not read the flow file while its signature stands", () => {
    const { files, load } = setUp();
    const read: string[] = [];
    const plain = files.read.bind(files);
    files.read = (path) => {
      read.push(path);
      return plain(path);
    };
    expect(load()).toBeDefined();
    expect(read).toEqual([`${directory}/${cacheName("plan", "request")}`]);
  });

  test("survive a touch, and a signature too young to be trusted", () => {
    const { files, load } = setUp(() => 0);
    expect(load()).toBeDefined();
    files.write("/project/flow.yaml", "tasks");
    expect(load()).toBeDefined();
  });

  test("are not used after any change", () => {
    const changes: readonly ((files: MemoryFileSystem) => void)[] = [
      (files) => files.write("/project/flow.yaml", "other"),
      (files) => files.remove("/project/flow.yaml"),
      (files) => files.write("/project/.env", ""),
      (files) => files.remove("/project/data.csv"),
      (files) => files.write(`${directory}/${cacheName("plan", "request")}`, "{"),
      (files) => files.write(`${directory}/${cacheName("plan", "request")}`, "{}\n{}"),
    ];
    for (const change of changes) {
      const { files, load } = setUp();
      expect(load()).toBeDefined();
      change(files);
      expect(load()).toBeUndefined();
    }
    const { load } = setUp();
    expect(load("other request")).toBeUndefined();
    expect(load("request", {})).toBeUndefined();
    expect(load("request", { ...env, MISSING: "" })).toBeUndefined();
  });

  test("do not pile up", () => {
    const { files } = setUp();
    const cached = { plan: planOf(), inputs: { files: [], env: {} }, warnings: [] };
    for (let number = 0; number < 60; number++) {
      savePlan(directory, `request ${number}`, cached, [], files, ripe);
    }
    expect(files.list(directory)?.length).toBeLessThan(30);
    expect(loadPlan(directory, "request 59", {}, files)).toBeDefined();
    expect(loadPlan(directory, "request 0", {}, files)).toBeUndefined();
  });
});
