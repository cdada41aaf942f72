/** Promise 8: `flow clean` removes what flow recorded as its own, inside the project, and nothing else. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect } from "vitest";
import { flowTest } from "../../rig/flow-test.ts";

const FILE = `
tasks:
  make:
    targets: [out/a.txt, out/folder/]
    actions: ["mkdir -p out/folder && echo 1 > out/a.txt && echo 2 > out/folder/b.txt"]
  use: { deps: [out/a.txt], targets: [copy.txt], actions: [cp out/a.txt copy.txt] }
`;

describe("promise 8, clean removes only what flow made", () => {
  flowTest("all of it, and a run makes it again", async ({ project }) => {
    project.flowFile(FILE);
    await project.run("run");
    expect((await project.run("clean", "-y")).code).toBe(0);
    expect(project.has("out")).toBe(false);
    expect(project.has("copy.txt")).toBe(false);
    expect((await project.runEvents()).tasks("task/done")).toEqual(["make", "use"]);
  });

  flowTest("not files of others in a target directory, which are named", async ({ project }) => {
    project.flowFile(FILE);
    await project.run("run");
    project.write("out/folder/mine.txt", "mine");
    const { stdout, stderr } = await project.run("clean", "-y");
    expect(stdout + stderr).toContain("out/folder/mine.txt");
    expect(project.read("out/folder/mine.txt")).toBe("mine");
    expect(project.has("out/folder/b.txt")).toBe(false);
    expect(project.has("out/a.txt")).toBe(false);
  });

  flowTest("nothing at all with --dry-run", async ({ project }) => {
    project.flowFile(FILE);
    await project.run("run");
    const { code, stdout, stderr } = await project.run("clean", "--dry-run");
    expect(code).toBe(0);
    expect(stdout + stderr).toContain("out/a.txt");
    expect(project.read("copy.txt")).toBe("1\n");
    expect(project.read("out/folder/b.txt")).toBe("2\n");
  });

  flowTest("nothing behind a link that took the place of a folder", async ({ project }) => {
    project.flowFile(FILE);
    await project.run("run");
    const outside = `${project.root}-outside`;
    mkdirSync(`${outside}/folder`, { recursive: true });
    writeFileSync(`${outside}/a.txt`, "precious");
    writeFileSync(`${outside}/folder/b.txt`, "precious");
    rmSync(project.path("out"), { recursive: true });
    symlinkSync(outside, project.path("out"));
    await project.run("clean", "-y", "--force");
    expect(project.has("../project-outside/a.txt")).toBe(true);
    expect(project.has("../project-outside/folder/b.txt")).toBe(true);
  });

  flowTest("not a file that was changed since, unless that is asked for", async ({ project }) => {
    project.flowFile(FILE);
    await project.run("run");
    project.write("copy.txt", "edited");
    await project.run("clean", "-y");
    expect(project.read("copy.txt")).toBe("edited");
  });

  flowTest("only the tasks that are named", async ({ project }) => {
    project.flowFile(FILE);
    await project.run("run");
    expect((await project.run("clean", "-y", "use")).code).toBe(0);
    expect(project.has("copy.txt")).toBe(false);
    expect(project.read("out/a.txt")).toBe("1\n");
  });
});
