import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type ProjectFolder, projectFolder } from "../project-folder.ts";

const FLOW = `version: 1
params: { word: then, other: 1 }
tasks:
  data: { targets: [data/in.txt], actions: ["echo data > \${{ target }}"] }
  train:
    deps: [data/in.txt]
    targets: [out.txt]
    actions: ["sh train.sh \${{ params.word }} \${{ params.other }}"]
`;

async function ran(): Promise<ProjectFolder> {
  const project = projectFolder({
    "flow.yaml": FLOW,
    "train.sh": "cat data/in.txt > out.txt; echo code 1 $* >> out.txt\n",
  });
  execFileSync("git", ["init", "-q", project.path]);
  const { code } = await project.flow("run", "-q", "-n", "1", "-p", "other=2");
  expect(code).toBe(0);
  project.write("train.sh", "echo code 2 $* > out.txt\n");
  expect((await project.flow("run", "-q", "-n", "1", "--force")).code).toBe(0);
  return project;
}

describe("flow rerun", () => {
  it("runs the code of then with the parameters of then, apart from the project", async () => {
    const { flow, path } = await ran();
    const before = readFileSync(join(path, "out.txt"), "utf8");
    const { code, stderr } = await flow("rerun", "-q", "train#1");
    expect(code).toBe(0);
    expect(stderr).toContain("= the same targets as then: out.txt\n");
    expect(readFileSync(join(path, "out.txt"), "utf8")).toBe(before);
    expect((await flow("status")).stdout).toContain("fresh");
    const { stdout } = await flow("runs", "rerun/train", "--cols", "task,status,code.tree");
    const [first] = (await flow("runs", "train", "--cols", "code.tree", "--sort", "serial")).stdout
      .trim()
      .split("\n")
      .slice(1, 2);
    expect(stdout).toContain("rerun/train  success");
    expect(stdout).toContain(first?.split(/ +/)[1]);
  });

  it("sets some parameters anew, and says that something else came out", async () => {
    const { flow, path } = await ran();
    const { stderr } = await flow("rerun", "-q", "train#1", "-p", "word=now");
    const [, folder] = /≠ not the same as then: out\.txt, now in (.*)\n/.exec(stderr) ?? [];
    expect(folder?.startsWith(join(path, ".flow/reruns/"))).toBe(true);
    expect(readFileSync(join(folder ?? "", "out.txt"), "utf8")).toBe("data\ncode 1 now 2\n");
  });

  it("is no task of the flow file: clean leaves what it made where it is, but for the folder", async () => {
    const { flow, path } = await ran();
    await flow("rerun", "-q", "train#1");
    const again = await flow("rerun", "-q", "rerun/train", "-p", "word=again");
    expect(again.stderr).toContain("≠ not the same as then: out.txt");
    const ids = await flow("runs", "--cols", "task,serial", "rerun/train");
    expect(ids.stdout.match(/rerun\/train +\d/g)).toEqual(["rerun/train  2", "rerun/train  1"]);
    const stale = await flow("clean", "--stale", "--dry-run");
    expect(stale.stderr).toBe("would remove 0 files (0 B) of 0 tasks\n");
    expect(existsSync(join(path, ".flow/reruns"))).toBe(true);
    await flow("clean", "--all", "-y");
    expect(existsSync(join(path, ".flow/reruns"))).toBe(false);
  });

  it("gives it its secrets again", async () => {
    const { flow, path } = projectFolder({
      "flow.yaml": `version: 1
dotenv: [.env]
secrets: [TOKEN]
tasks: { t: { targets: [t.txt], actions: ['test -n "$TOKEN" && echo known > t.txt'] } }
`,
      ".env": "TOKEN=hunter2\n",
    });
    execFileSync("git", ["init", "-q", path]);
    expect((await flow("run", "-q")).code).toBe(0);
    const { code, stderr } = await flow("rerun", "-q", "t");
    expect([code, stderr]).toEqual([0, expect.stringContaining("= the same targets as then")]);
  });

  it("says why it cannot be done", async () => {
    const { flow } = await ran();
    const wrong = await flow("rerun", "train#1", "-p", "wrd=now");
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toContain("wrd");
    const plain = projectFolder({ "flow.yaml": FLOW, "train.sh": "echo > out.txt\n" });
    await plain.flow("run", "-q");
    expect((await plain.flow("rerun", "train")).stderr).toMatch(
      /^flow: [0-9a-f]{7}-1 cannot be run again: its code was not kept; `flow run --force` runs the task with the code as it is now\n$/,
    );
  });
});
