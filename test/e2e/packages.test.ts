/** The packages as a user installs them: packed, put into an empty folder by npm, and run from there. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const runFile = promisify(execFile);

/** Runs a program to its end; a failure shows what it printed. */
async function run(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<{ readonly stdout: string }> {
  return await runFile(command, args, { cwd }).catch(
    (error: { stdout: string; stderr: string }) => {
      throw new Error(`${command} ${args.join(" ")} failed:\n${error.stdout}${error.stderr}`);
    },
  );
}

systemSuite("registry", "the packed packages", () => {
  let folder: string;
  let tarballs: readonly string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "flow-packages-"));
    await run("npm", ["run", "build"], root);
    await run("npm", ["pack", "--workspaces", "--pack-destination", folder], root);
    tarballs = (await readdir(folder)).map((name) => join(folder, name));
    const install = ["install", "--global", "--prefix", "prefix", "--ignore-scripts"];
    await run("npm", [...install, ...tarballs], folder);
  }, 300_000);

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it("are one for each workspace", async () => {
    const names = tarballs.map(
      (path) => /\/flow-([a-z-]*)-\d+\.\d+\.\d+\.tgz$/.exec(path)?.[1] ?? path,
    );
    const folders = await readdir(join(root, "packages"));
    expect(names.sort()).toEqual(folders.sort());
  });

  it("bring a command line that runs in an empty folder", async () => {
    const { stdout } = await run(join(folder, "prefix/bin/flow"), ["version"], folder);
    expect(stdout).toBe("0.1.0\n");
  });

  it("run a task", async () => {
    await writeFile(
      join(folder, "hello.flow.yaml"),
      "version: 1\ntasks:\n  hello:\n    actions: [echo hello > hello.txt]\n    targets: [hello.txt]\n",
    );
    const flow = join(folder, "prefix/bin/flow");
    await run(flow, ["run", "-f", "hello.flow.yaml"], folder);
    expect(await readdir(folder)).toContain("hello.txt");
  });

  it.each([
    "core",
    "core/testing",
    "backend-local",
    "backend-local/process",
    "backend-gpu",
    "backend-slurm",
    "backend-azure",
    "task-py",
  ])("let a program import @flow/%s by import and by require.resolve", async (entry) => {
    const program = `
      import { createRequire } from "node:module";
      const names = Object.keys(await import("@flow/${entry}"));
      const path = createRequire(import.meta.url).resolve("@flow/${entry}");
      console.log(names.length > 0 && path.includes("node_modules/@flow/"));`;
    const modules = join(folder, "prefix/lib/node_modules");
    await writeFile(join(modules, "probe.mjs"), program);
    const { stdout } = await run(process.execPath, [join(modules, "probe.mjs")], folder);
    expect(stdout).toBe("true\n");
  });
});
