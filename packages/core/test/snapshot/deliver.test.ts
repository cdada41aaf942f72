import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { layout } from "../../src/engine/layout.ts";
import { captureTree } from "../../src/snapshot/capture.ts";
import { materialise } from "../../src/snapshot/materialise.ts";
import { objectPath, readTree } from "../../src/snapshot/store.ts";
import { tarOf } from "../../src/snapshot/tar.ts";
import { makeProject, type TestProject } from "./project.ts";

const capture = async ({ root }: TestProject): Promise<string> =>
  (await captureTree({ root, code: { include: [], omit: [] }, products: [] })).tree;

const LONG = `${"long-directory-name/".repeat(8)}file-with-ümläut.py`;

function fill(project: TestProject): void {
  project.write("train.py", "print(1)\n");
  project.write("bin/run", "#!/bin/sh\n", 0o755);
  project.write("empty", "");
  project.write(LONG, Buffer.alloc(512, "a"));
  project.link("bin/latest.py", "../train.py");
}

async function tarred(project: TestProject): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of tarOf(layout(project.root), await capture(project))) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe("a tar of a tree", () => {
  it("is read by tar as the files, modes and links of the tree", async () => {
    const project = makeProject({ git: false });
    fill(project);
    const archive = await tarred(project);
    const into = makeProject({ git: false }).root;
    execFileSync("tar", ["-xpf", "-"], { cwd: into, input: archive });
    expect(readFileSync(join(into, "train.py"), "utf8")).toBe("print(1)\n");
    expect(readFileSync(join(into, LONG)).length).toBe(512);
    expect(readFileSync(join(into, "empty")).length).toBe(0);
    expect(lstatSync(join(into, "bin/run")).mode & 0o777).toBe(0o755);
    expect(lstatSync(join(into, "train.py")).mode & 0o777).toBe(0o644);
    expect(readlinkSync(join(into, "bin/latest.py"))).toBe("../train.py");
    expect(archive.length % 512).toBe(0);
  });

  it("is the same byte for byte in another folder, at another time, in another order", async () => {
    const first = makeProject({ git: false });
    fill(first);
    const second = makeProject({ git: true });
    second.link("bin/latest.py", "../train.py");
    fill({ ...second, link: () => undefined });
    second.commit();
    execFileSync("touch", ["-d", "2001-02-03", join(second.root, "train.py")]);
    expect((await tarred(second)).equals(await tarred(first))).toBe(true);
  });
});

describe("a tree written out", () => {
  it("is a read-only copy, made once", async () => {
    const project = makeProject({ git: false });
    fill(project);
    const store = layout(project.root);
    const tree = await capture(project);
    const into = join(project.root, "code");
    const directory = materialise({ store, tree, into });
    expect(directory).toBe(join(into, tree));
    expect(readFileSync(join(directory, LONG)).length).toBe(512);
    expect(readlinkSync(join(directory, "bin/latest.py"))).toBe("../train.py");
    const modes = ["", "train.py", "bin", "bin/run"].map(
      (path) => lstatSync(join(directory, path)).mode & 0o777,
    );
    expect(modes).toEqual([0o555, 0o444, 0o555, 0o555]);
    const { ino } = lstatSync(directory);
    expect(materialise({ store, tree, into })).toBe(directory);
    expect(lstatSync(directory).ino).toBe(ino);
    expect(readdirSync(into)).toEqual([tree]);
  });

  it("has links to data where the tree leaves room, and a name of its own for each set", async () => {
    const project = makeProject({ git: false });
    project.write("train.py", "x");
    project.write("data/index.txt", "x");
    const store = layout(project.root);
    const tree = await capture(project);
    const into = join(project.root, "code");
    const links = { "cache/big": "/mnt/big", data: "/mnt/data" };
    const directory = materialise({ store, tree, into, links });
    expect(readlinkSync(join(directory, "cache/big"))).toBe("/mnt/big");
    expect(readdirSync(join(directory, "data"))).toEqual(["index.txt"]);
    expect(materialise({ store, tree, into })).not.toBe(directory);
    const outside = { store, tree, into, links: { "../x": "/mnt" } };
    expect(() => materialise(outside)).toThrow(
      "a link to data cannot be made at `../x` in the code",
    );
    const below = { store, tree, into, links: { "train.py/x": "/mnt" } };
    expect(() => materialise(below)).toThrow(
      "a link to data cannot be made at `train.py/x` in the code",
    );
    expect(readdirSync(into).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("is refused, like its tar, when a link leads out of the project", async () => {
    const project = makeProject({ git: false });
    project.write("train.py", "x");
    project.link("data", "/mnt/data");
    const store = layout(project.root);
    const tree = await capture(project);
    const message =
      "the code cannot be sent elsewhere: `data` is a link that leads out of the project. Leave it out with `code: {omit: [data]}` or in .flowignore.";
    expect(() => materialise({ store, tree, into: join(project.root, "code") })).toThrow(message);
    await expect(tarred(project)).rejects.toThrow(message);
  });

  it("is refused when its list or its contents are damaged", async () => {
    const project = makeProject({ git: false });
    project.write("train.py", "x");
    const store = layout(project.root);
    const tree = await capture(project);
    const request = { store, tree, into: join(project.root, "code") };
    const [entry] = readTree(store, tree);
    const object = objectPath(store, entry?.content ?? "");
    rmSync(object);
    expect(() => materialise(request)).toThrow(
      `the stored content ${object} is missing; delete .flow/objects, .flow/trees and .flow/cache, and run again`,
    );
    writeFileSync(object, "y");
    expect(() => materialise(request)).toThrow(
      `the stored content ${object} is damaged; delete .flow/objects, .flow/trees and .flow/cache, and run again`,
    );
    rmSync(`${store.trees}/${tree}.json`);
    mkdirSync(store.trees, { recursive: true });
    writeFileSync(`${store.trees}/${tree}.json`, '{"format":1,"entries":[]}');
    expect(() => materialise(request)).toThrow(
      `the list of files of code tree ${tree} is damaged; delete .flow/trees/${tree}.json and run again`,
    );
    expect(readdirSync(request.into)).toEqual([]);
  });
});
