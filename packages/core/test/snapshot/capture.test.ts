import { existsSync, readdirSync, readFileSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { layout } from "../../src/engine/layout.ts";
import {
  type CaptureRequest,
  CodeCapturer,
  captureTree,
  hasCode,
} from "../../src/snapshot/capture.ts";
import { readObject, readTree } from "../../src/snapshot/store.ts";
import { makeProject, type TestProject } from "./project.ts";

type Options = Partial<Omit<CaptureRequest, "root">>;

const request = ({ root }: TestProject, options: Options = {}): CaptureRequest => ({
  root,
  code: { include: [], omit: [] },
  products: [],
  wall: later,
  ...options,
});

/** So late that every file is old enough to be known by its stat signature. */
const later = (): number => Date.now() + 60_000;

async function pathsOf(project: TestProject, options?: Options): Promise<readonly string[]> {
  const { tree } = await captureTree(request(project, options));
  return readTree(layout(project.root), tree).map(({ path }) => path);
}

const code = (include: string[], omit: string[]): Options => ({ code: { include, omit } });

describe("what counts as code", () => {
  it("is what git tracks and what it would offer to track, as it is on disk now", async () => {
    const project = makeProject({ git: true });
    project.write(".gitignore", "*.log\n");
    project.write("train.py", "old");
    project.write("gone.py", "x");
    project.write("lib/run.sh", "x", 0o755);
    project.link("latest.py", "train.py");
    project.commit();
    project.write("train.py", "new");
    project.write("draft.py", "y");
    project.write("noise.log", "z");
    project.remove("gone.py");
    const { tree, files, bytes, git } = await captureTree(request(project));
    const store = layout(project.root);
    const entries = readTree(store, tree);
    expect(entries.map(({ path, kind }) => `${kind} ${path}`)).toEqual([
      "file .gitignore",
      "file draft.py",
      "link latest.py",
      "executable lib/run.sh",
      "file train.py",
    ]);
    expect(entries[2]?.content).toBe("train.py");
    expect(readObject(store, entries[4]?.content ?? "").toString()).toBe("new");
    expect([files, bytes]).toEqual([5, 6 + 1 + 8 + 1 + 3]);
    expect(git).toMatchObject({ branch: "main", dirty: true, untracked: 1 });
  });

  it("leaves out what tasks make, also below their directories and when it is tracked", async () => {
    const project = makeProject({ git: true });
    project.write("train.py", "x");
    project.write("model.bin", "x");
    project.write("figures/a/b.png", "x");
    project.commit();
    project.write("figures/c.png", "x");
    expect(await pathsOf(project, { products: ["model.bin", "figures/"] })).toEqual(["train.py"]);
  });

  it("follows .flowignore and `omit`, and `include` beats .flowignore and .gitignore", async () => {
    const project = makeProject({ git: true });
    project.write(".gitignore", "data/\n");
    project.write(".flowignore", "docs/\n*.ipynb\n!keep.ipynb\n");
    for (const path of ["docs/a.md", "docs/b.md", "x.ipynb", "keep.ipynb", "secret.py", "m.py"]) {
      project.write(path, path);
    }
    project.commit();
    for (const path of ["data/vocab.txt", "data/big.bin", "data/sub/c"]) project.write(path, path);
    const kept = code(["data/vocab.txt", "docs/b.md", "data/sub", "secret.py"], ["secret.*"]);
    expect(await pathsOf(project, kept)).toEqual([
      ".flowignore",
      ".gitignore",
      "data/sub/c",
      "data/vocab.txt",
      "docs/b.md",
      "keep.ipynb",
      "m.py",
    ]);
  });

  it("leaves out leftovers and keys that are not tracked, and keeps those that are", async () => {
    const project = makeProject({ git: true });
    project.write("outputs/config.yaml", "x");
    project.commit();
    for (const path of [".env", "id_rsa", "outputs/new", "a/__pycache__/m.pyc", "a/m.py"]) {
      project.write(path, "x");
    }
    expect(await pathsOf(project)).toEqual(["a/m.py", "outputs/config.yaml"]);
  });

  it("is found by a walk where there is no git", async () => {
    const project = makeProject({ git: false });
    for (const path of ["a.py", "node_modules/m/i.js", "src/b.py", "src/.hidden", "data/x"]) {
      project.write(path, path);
    }
    project.write(".flowignore", "/data\n");
    expect(await pathsOf(project)).toEqual([".flowignore", "a.py", "src/.hidden", "src/b.py"]);
    expect(hasCode(request(project))).toBe(false);
    expect(hasCode(request(project, code([], ["data"])))).toBe(true);
  });

  it("is limited to the project's folder inside a larger repository, and reaches into submodules", async () => {
    const library = makeProject({ git: true });
    library.write("lib.py", "x");
    library.commit();
    const outer = makeProject({ git: true });
    outer.write("other/o.py", "x");
    outer.write("mine/m.py", "x");
    outer.commit();
    outer.git("submodule", "--quiet", "add", library.root, "mine/vendor");
    outer.commit();
    outer.write("mine/vendor/extra.py", "x");
    outer.write("mine/new.py", "x");
    outer.write("other/new.py", "x");
    const inner = { ...outer, root: join(outer.root, "mine") };
    expect(await pathsOf(inner)).toEqual(["m.py", "new.py", "vendor/extra.py", "vendor/lib.py"]);
    const { git } = await captureTree(request(inner));
    expect(git).toMatchObject({ dirty: false, untracked: 2 });
    expect(git?.submodules.map(({ path }) => path)).toEqual(["vendor"]);
  });

  it("is refused with the largest files when one is too large, unless `include` names it", async () => {
    const project = makeProject({ git: true });
    project.write("a.py", "x");
    project.write("data.bin", Buffer.alloc(3000));
    project.write("more.bin", Buffer.alloc(2000));
    const limits = { fileBytes: 1000, treeBytes: 10_000 };
    await expect(captureTree(request(project, { limits }))).rejects.toThrow(
      [
        "2 files are larger than 1 kB, too large for code:",
        "  3 kB  data.bin",
        "  2 kB  more.bin",
        "Leave out what is data with `code: {omit: [...]}` or in .flowignore, or name what belongs to the code under `code: {include: [...]}`.",
      ].join("\n"),
    );
    expect(existsSync(layout(project.root).objects)).toBe(false);
    const wanted = { limits, ...code(["*.bin"], ["more.bin"]) };
    expect(await pathsOf(project, wanted)).toEqual(["a.py", "data.bin"]);
  });

  it("is refused when all files together are too large", async () => {
    const project = makeProject({ git: false });
    for (const name of ["a", "b", "c"]) project.write(name, Buffer.alloc(800));
    const limits = { fileBytes: 1000, treeBytes: 2000 };
    await expect(captureTree(request(project, { limits }))).rejects.toThrow(
      /^the code is 2\.4 kB large, more than 2 kB; its largest files:\n {2}800 B {2}a\n/,
    );
  });
});

describe("what git knows", () => {
  it("is recorded with the difference to the commit and a remote without its password", async () => {
    const project = makeProject({ git: true });
    project.write("train.py", "old\n");
    const commit = project.commit();
    project.git("remote", "add", "origin", "https://me:token@example.org/team/code.git");
    project.write("train.py", "new\n");
    const { git, diff } = await captureTree(request(project));
    expect(git).toEqual({
      commit,
      branch: "main",
      remote: "https://example.org/team/code.git",
      dirty: true,
      untracked: 0,
      submodules: [],
    });
    const text = readObject(layout(project.root), diff ?? "").toString();
    expect(text).toContain("-old\n+new\n");
  });

  it("may be no commit yet and no branch", async () => {
    const project = makeProject({ git: true });
    project.write("a.py", "x");
    expect((await captureTree(request(project))).git).toMatchObject({
      commit: undefined,
      branch: "main",
    });
    project.commit();
    project.git("checkout", "-q", "--detach");
    expect((await captureTree(request(project))).git?.branch).toBeUndefined();
  });

  it("never changes the repository", async () => {
    const project = makeProject({ git: true });
    project.write("a.py", "x");
    project.commit();
    project.write("a.py", "y");
    const before = readdirSync(join(project.root, ".git"));
    const index = project.git("hash-object", ".git/index");
    await captureTree(request(project));
    expect(readdirSync(join(project.root, ".git"))).toEqual(before);
    expect(project.git("hash-object", ".git/index")).toBe(index);
  });
});

describe("looking again", () => {
  it("names the same files by the same tree, wherever they lie", async () => {
    const trees = await Promise.all(
      [true, false].map(async (git) => {
        const project = makeProject({ git });
        project.write("b/x.py", "1");
        project.write("a.py", "2", 0o755);
        return (await captureTree(request(project))).tree;
      }),
    );
    expect(trees[0]).toBe(trees[1]);
  });

  it("notices every kind of change and says which files of the last look are affected", async () => {
    const project = makeProject({ git: true });
    for (const name of ["a", "b", "c", "d"]) project.write(name, name);
    project.commit();
    const capturer = new CodeCapturer(request(project));
    const first = await capturer.capture(true);
    expect(first.changed).toEqual([]);
    expect(await capturer.capture(false)).toMatchObject({ tree: first.tree, changed: [] });
    project.write("a", "A");
    project.write("b", "b", 0o755);
    project.remove("c");
    project.write("new", "x");
    const second = await capturer.capture(false);
    expect(second.changed).toEqual(["a", "b", "c"]);
    project.git("checkout", "-q", "--", ".");
    project.remove("new");
    const third = await capturer.capture(false);
    expect(third).toMatchObject({ tree: first.tree, changed: ["a", "b", "new"] });
  });

  it("notices a change that git was told to overlook", async () => {
    const project = makeProject({ git: true });
    project.write("a.py", "x");
    project.commit();
    const { tree } = await captureTree(request(project));
    project.git("update-index", "--assume-unchanged", "a.py");
    project.write("a.py", "y");
    expect((await captureTree(request(project))).tree).not.toBe(tree);
  });

  it("notices that a filter has put other bytes where git sees the same content", async () => {
    const project = makeProject({ git: true });
    project.git("config", "filter.up.clean", "tr A-Z a-z");
    project.git("config", "filter.up.smudge", "tr a-z A-Z");
    project.write(".gitattributes", "*.txt filter=up\n");
    project.write("a.txt", "ABC");
    project.commit();
    const { tree } = await captureTree(request(project));
    project.write("a.txt", "abc");
    const now = await captureTree(request(project));
    expect(now.git?.dirty).toBe(false);
    expect(now.tree).not.toBe(tree);
  });

  it("reads a file again that is too young to be known by its signature", async () => {
    const project = makeProject({ git: true });
    project.write("a.py", "x");
    const { atime, mtime, mtimeMs } = statSync(join(project.root, "a.py"));
    const young = request(project, { wall: () => Math.round(mtimeMs) });
    const trees = new Set([(await captureTree(young)).tree]);
    project.write("a.py", "y");
    utimesSync(join(project.root, "a.py"), atime, mtime);
    trees.add((await captureTree(young)).tree);
    expect(trees.size).toBe(2);
    expect(readFileSync(join(layout(project.root).cache, "code-tree"), "utf8")).toContain(
      '"key":""',
    );
  });

  it("stores contents that an earlier look did not keep", async () => {
    const project = makeProject({ git: true });
    project.write("a.py", "x");
    const capturer = new CodeCapturer(request(project));
    const { tree } = await capturer.capture(false);
    expect(existsSync(layout(project.root).objects)).toBe(false);
    await capturer.capture(true);
    const [entry] = readTree(layout(project.root), tree);
    expect(readObject(layout(project.root), entry?.content ?? "").toString()).toBe("x");
  });
});

it("says so when git refuses to answer", async () => {
  const broken = makeProject({ git: true });
  broken.remove(".git/HEAD");
  await expect(captureTree(request(broken))).rejects.toThrow(
    /^git cannot tell what belongs to the code: fatal: not a git repository/,
  );
});
