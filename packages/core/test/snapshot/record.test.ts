import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { layout } from "../../src/engine/layout.ts";
import type { RunResult } from "../../src/engine/run.ts";
import { flow } from "../../src/library/flow.ts";
import type { TaskKey } from "../../src/model/ids.ts";
import { nodeFileSystem } from "../../src/ports/node/file-system.ts";
import { lastAttempt } from "../../src/record/attempt-record.ts";
import { readObject, readTree } from "../../src/snapshot/store.ts";
import { makeProject, type TestProject } from "./project.ts";

function run(project: TestProject, work: () => Promise<void>): Promise<RunResult> {
  const graph = flow({ root: project.root });
  graph.task("train", {
    targets: ["model.txt"],
    run: async () => {
      await work();
      project.write("model.txt", "trained");
    },
  });
  return graph.run({ force: true });
}

const attemptOf = ({ root }: TestProject) => {
  const { tasks } = layout(root);
  const [folder = ""] = readdirSync(tasks);
  const [key = ""] = readdirSync(`${tasks}/${folder}`);
  return lastAttempt(layout(root), key as TaskKey, nodeFileSystem);
};

it("a run leaves on record what code it began with, without what its tasks make", async () => {
  const project = makeProject({ git: true });
  project.write("train.py", "print(1)");
  const commit = project.commit();
  const { run: id, exitCode } = await run(project, async () => {});
  expect(exitCode).toBe(0);
  const store = layout(project.root);
  const code = JSON.parse(readFileSync(store.code(id), "utf8")) as { tree: string };
  expect(code).toMatchObject({ kept: true, git: { commit, branch: "main", dirty: false } });
  const [file, ...others] = readTree(store, code.tree);
  expect(others).toEqual([]);
  expect(readObject(store, file?.content ?? "").toString()).toBe("print(1)");
  await run(project, async () => {});
  const again = await run(project, async () => {});
  expect(JSON.parse(readFileSync(store.code(again.run), "utf8"))).toEqual(code);
});

it("nothing is recorded where nobody says what the code is", async () => {
  const project = makeProject({ git: false });
  project.write("train.py", "print(1)");
  await run(project, async () => {});
  expect(readdirSync(layout(project.root).state)).not.toContain("objects");
  expect(attemptOf(project)?.record).not.toHaveProperty("code");
});

it("trouble is a warning that changes nothing", async () => {
  const project = makeProject({ git: true });
  project.write("big.bin", Buffer.alloc(10_000_001));
  const warnings: string[] = [];
  const graph = flow({ root: project.root });
  graph.task("train", { run: async () => {} });
  const { exitCode } = await graph.run({
    onEvent: (event) => {
      if (event.type === "warning") warnings.push(event.message);
    },
  });
  expect(exitCode).toBe(0);
  expect(warnings).toEqual([
    [
      "the code is not recorded: a file is larger than 10 MB, too large for code:",
      "  10 MB  big.bin",
      "Leave out what is data with `code: {omit: [...]}` or in .flowignore, or name what belongs to the code under `code: {include: [...]}`.",
    ].join("\n"),
  ]);
});
