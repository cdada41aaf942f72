/** What the command line loads before it does anything; start-up time is modules loaded, and those can be counted. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const main = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));
const runFile = promisify(execFile);

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "flow-start-up-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Runs the built command line and returns the files it loaded as modules, Node's own left out. */
async function loadedFiles(args: readonly string[]): Promise<readonly string[]> {
  const hooks = `import { appendFileSync } from "node:fs";
    export async function load(url, context, next) {
      if (url.startsWith("file:")) appendFileSync("loaded", new URL(url).pathname + "\\n");
      return next(url, context);
    }`;
  await writeFile(join(folder, "hooks.mjs"), hooks);
  await writeFile(
    join(folder, "register.mjs"),
    `import { register } from "node:module"; register(${JSON.stringify(pathToFileURL(join(folder, "hooks.mjs")).href)});`,
  );
  await runFile(process.execPath, ["--import", join(folder, "register.mjs"), main, ...args], {
    cwd: folder,
  });
  return (await readFile(join(folder, "loaded"), "utf8")).trim().split("\n");
}

/** The libraries and packages whose sources are in a bundled file, from the bundler's own remarks. */
async function librariesIn(paths: readonly string[]): Promise<readonly string[]> {
  const texts = await Promise.all(paths.map((path) => readFile(path, "utf8")));
  const names = texts.flatMap((text) =>
    [...text.matchAll(/^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)/gm)].map(([, name = ""]) => name),
  );
  return [...new Set(names)];
}

describe("flow version", () => {
  it("loads less than 64 kB in at most eight files, and no library", async () => {
    const files = await loadedFiles(["version"]);
    const bytes = (await Promise.all(files.map((path) => readFile(path)))).map(
      ({ length }) => length,
    );
    expect(files.length).toBeLessThanOrEqual(8);
    expect(bytes.reduce((sum, length) => sum + length, 0)).toBeLessThan(64 * 1024);
    expect(await librariesIn(files)).toEqual([]);
  });
});
