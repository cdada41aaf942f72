import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describeSystemError } from "@flow/core";
import { describe, expect, it } from "vitest";
import { ProjectRoot } from "../../src/clean/project-root.ts";
import { type ProjectFolder, projectFolder } from "../project-folder.ts";

const FLOW = `version: 1
tasks:
  text:
    targets: [out/a.txt]
    actions: ["echo a > \${{ target }}"]
  folder:
    deps: [out/a.txt]
    targets: [models/]
    actions: ["mkdir -p models/deep; echo m > models/m.bin; echo d > models/deep/d.bin"]
  precious:
    targets: [precious.txt]
    protect: true
    actions: ["echo p > precious.txt"]
  lasting:
    targets: [lasting.txt]
    clean: none
    actions: ["echo l > lasting.txt"]
  custom:
    targets: [custom.txt]
    clean: [targets, "rm -f side-effect.txt; echo cleaned >&2"]
    actions: ["echo c > custom.txt; echo s > side-effect.txt"]
`;

async function made(files: Readonly<Record<string, string>> = {}): Promise<ProjectFolder> {
  const project = projectFolder({ "flow.yaml": FLOW, ...files });
  expect(await project.flow("run", "-q")).toEqual({ code: 0, stdout: "", stderr: "" });
  return project;
}

const left = ({ path }: ProjectFolder): readonly string[] =>
  readdirSync(path, { recursive: true, encoding: "utf8" })
    .filter((name) => !name.startsWith(".flow"))
    .sort();

describe("flow clean", () => {
  it("removes the folders it made, also those in which several tasks had theirs", async () => {
    const project = projectFolder({
      "flow.yaml": `tasks:
  file: {targets: [out/all/file], actions: ["echo > out/all/file"]}
  folder: {targets: [out/all/raw/], actions: ["mkdir -p out/all/raw; echo > out/all/raw/a"]}
`,
    });
    expect((await project.flow("run", "-q")).code).toBe(0);
    expect((await project.flow("clean", "-y")).code).toBe(0);
    expect(left(project)).toEqual(["flow.yaml"]);
  });

  it("removes what flow made and nothing else, and the tasks would run again", async () => {
    const project = await made({ "notes.txt": "mine" });
    const { code, stdout, stderr } = await project.flow("clean", "-y");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toBe(
      "kept precious.txt: protected; --force removes it\n" +
        "removed 4 files (8 B), forgot 3 tasks\n",
    );
    expect(left(project)).toEqual(["flow.yaml", "lasting.txt", "notes.txt", "precious.txt"]);
    expect((await project.flow("plan", "--json")).stdout).toMatch(/never succeeded/);
    const { tasks } = JSON.parse((await project.flow("plan", "--json")).stdout) as {
      tasks: { task: string; verdict: string }[];
    };
    const fresh = tasks.filter(({ verdict }) => verdict === "fresh").map(({ task }) => task);
    expect(fresh).toEqual(["precious", "lasting"]);
  });

  it("lists unknown files in a target directory and keeps them", async () => {
    const project = await made();
    writeFileSync(join(project.path, "models/deep/mine.txt"), "mine");
    const { stderr } = await project.flow("clean", "-y", "folder");
    expect(stderr).toBe(
      "kept models/deep/mine.txt: not made by flow\nremoved 2 files (4 B), forgot 1 task\n",
    );
    expect(readFileSync(join(project.path, "models/deep/mine.txt"), "utf8")).toBe("mine");
    expect(existsSync(join(project.path, "models/m.bin"))).toBe(false);
  });

  it("keeps a target that was edited, and its task stays fresh", async () => {
    const project = await made();
    writeFileSync(join(project.path, "out/a.txt"), "edited by hand");
    const { stderr } = await project.flow("clean", "-y", "text");
    expect(stderr).toBe(
      "kept out/a.txt: changed since it was made; --force removes it\n" +
        "removed 0 files (0 B), forgot 0 tasks\n",
    );
    expect((await project.flow("plan", "--check", "text")).code).toBe(0);
    await project.flow("clean", "-y", "--force", "text");
    expect(existsSync(join(project.path, "out"))).toBe(false);
  });

  it("removes a file that was only touched", async () => {
    const project = await made();
    const path = join(project.path, "out/a.txt");
    const content = readFileSync(path);
    rmSync(path);
    writeFileSync(path, content);
    await project.flow("clean", "-y", "text");
    expect(existsSync(path)).toBe(false);
  });

  it("never leaves the project through a folder that was swapped for a link", async () => {
    const project = await made();
    const victim = projectFolder({ "m.bin": "m\n", "deep/d.bin": "d\n", "a.txt": "a\n" });
    for (const folder of ["models", "out"]) {
      rmSync(join(project.path, folder), { recursive: true });
      symlinkSync(victim.path, join(project.path, folder));
    }
    await project.flow("clean", "-y", "--force");
    expect(left(victim)).toEqual(["a.txt", "deep", "deep/d.bin", "m.bin"]);
  });

  it("removes a link that a task made, not what it points to", async () => {
    const project = projectFolder({
      "flow.yaml":
        'version: 1\ntasks:\n  link: { deps: [data.txt], targets: [alias.txt], actions: ["ln -s data.txt alias.txt"] }\n',
      "data.txt": "data",
    });
    await project.flow("run", "-q");
    await project.flow("clean", "-y");
    expect(left(project)).toEqual(["data.txt", "flow.yaml"]);
  });

  it("shows what would go with --dry-run and changes nothing", async () => {
    const project = await made();
    const before = readdirSync(project.path, { recursive: true, encoding: "utf8" }).sort();
    const { code, stdout, stderr } = await project.flow("clean", "--dry-run", "folder");
    expect({ code, stdout: stdout.split("\n").sort(), stderr }).toEqual({
      code: 0,
      stdout: ["", "models/deep/d.bin", "models/m.bin"],
      stderr: "would remove 2 files (4 B) of 1 task\n",
    });
    const after = readdirSync(project.path, { recursive: true, encoding: "utf8" }).sort();
    expect(after).toEqual(before);
  });

  it("asks on a terminal and refuses to guess elsewhere", async () => {
    const project = await made();
    const { code, stderr } = await project.flow("clean", "text");
    expect(code).toBe(2);
    expect(stderr).toBe("flow: this would remove 1 file (2 B) of 1 task; say -y to do it.\n");
    expect(existsSync(join(project.path, "out/a.txt"))).toBe(true);
  });

  it("removes targets of tasks that are no longer in the file with --stale", async () => {
    const project = await made();
    project.write(
      "flow.yaml",
      FLOW.replace(/ {2}text:[\s\S]*? {2}folder:/, "  folder:").replace(
        "deps: [out/a.txt]",
        "deps: []",
      ),
    );
    expect((await project.flow("clean", "-y", "--stale")).stderr).toBe(
      "removed 1 file (2 B), forgot 1 task\n",
    );
    expect(left(project)).not.toContain("out/a.txt");
    expect(left(project)).toContain("models/m.bin");
  });

  it("keeps what has become a source meanwhile", async () => {
    const project = await made();
    project.write("flow.yaml", FLOW.replace(/ {2}text:[\s\S]*? {2}folder:/, "  folder:"));
    expect((await project.flow("clean", "-y", "--stale")).stderr).toContain(
      "kept out/a.txt: a source of folder now\n",
    );
    expect(left(project)).toContain("out/a.txt");
  });

  it("cleans what the selected tasks depend on with --deps", async () => {
    const project = await made();
    await project.flow("clean", "-y", "--deps", "folder");
    expect(left(project)).not.toContain("out/a.txt");
    expect(left(project)).not.toContain("models/m.bin");
    expect(left(project)).toContain("custom.txt");
  });

  it("removes logs unless told to keep records, and never repeats an attempt's number", async () => {
    const project = await made();
    await project.flow("clean", "-y", "--keep-records", "text");
    expect((await project.flow("runs", "-a", "text", "--json")).stdout).toContain('"serial": 1');
    await project.flow("run", "-q", "text");
    await project.flow("clean", "-y", "text");
    expect(await project.flow("logs", "text")).toEqual({
      code: 2,
      stdout: "",
      stderr: "flow: text has no attempt on record\n",
    });
    expect((await project.flow("runs", "--ids", "template == 'text'")).stdout).toBe("");
    await project.flow("run", "-q", "text");
    const attempts = JSON.parse((await project.flow("runs", "-a", "text", "--json")).stdout) as {
      serial: number;
    }[];
    expect(attempts.map(({ serial }) => serial)).toEqual([3]);
  });

  it("tells what it did as JSON", async () => {
    const project = await made();
    expect(JSON.parse((await project.flow("clean", "-y", "--json", "text")).stdout)).toEqual({
      removed: [{ path: "out/a.txt", bytes: 2 }],
      kept: [],
      forgotten: ["text"],
      problems: [],
    });
  });
});

describe("the project's root", () => {
  it("is not left by any path", () => {
    const project = projectFolder({ "in/x": "1" });
    const outside = projectFolder({ x: "1" });
    symlinkSync(outside.path, join(project.path, "link"));
    mkdirSync(join(project.path, "empty"));
    const root = new ProjectRoot(project.path);
    for (const path of [
      "link/x",
      "../x",
      "in/../../x",
      "/etc/hostname",
      "",
      ".",
      "in//x",
      "no/x",
    ]) {
      expect(root.removeFile(path), path).toBe(false);
      expect(root.removeEmptyFolder(path), path).toBe(false);
    }
    expect(existsSync(join(outside.path, "x"))).toBe(true);
    const denied = Object.assign(new Error("EACCES"), { code: "EACCES", syscall: "unlink" });
    let trouble: string | undefined;
    try {
      root.within("in/x", (entry) => {
        throw Object.assign(denied, { path: entry });
      });
    } catch (error) {
      trouble = describeSystemError(error);
    }
    const place = join(realpathSync(project.path), "in/x");
    expect(trouble).toBe(`permission was denied (EACCES, unlink) at ${place}`);
    expect(root.removeFile("in/x")).toBe(true);
    expect(root.removeFile("in")).toBe(false);
    expect(root.removeEmptyFolder("empty")).toBe(true);
    expect(root.removeFile("link")).toBe(true);
  });
});
