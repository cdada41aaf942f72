/**
 * The rules about who may import whom, each seen to fail. A copy of the tools' configuration with
 * planted violations is linted in a temporary folder; next to each violation lies a permitted
 * neighbour that must stay clean, so a rule that fires on everything fails here too.
 */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const packages = ["core", "cli", "backend-local", "backend-gpu", "backend-slurm", "backend-azure"];

/** Files written into the copy; each line of code is one planted violation or a permitted use. */
const planted: Readonly<Record<string, string>> = {
  "packages/core/src/engine/imports-backend.ts": 'import "@flow/backend-local";\n',
  "packages/core/src/engine/imports-model.ts": 'import "../model/leaf.ts";\nimport "node:fs";\n',
  "packages/core/src/engine/undeclared.ts": 'import "execa";\n',
  "packages/core/src/engine/unreached.ts": "export const unreached: number = 1;\n",
  "packages/core/src/index.ts": 'import "./engine/undeclared.ts";\n',
  "packages/core/src/engine/cycle-a.ts":
    'import { b } from "./cycle-b.ts";\nexport const a: () => number = () => b;\n',
  "packages/core/src/engine/cycle-b.ts":
    'import { a } from "./cycle-a.ts";\nexport const b: number = a.length;\n',
  "packages/core/src/engine/prints.ts": 'console.log("a backend never prints");\n',
  "packages/core/src/engine/long-file.ts": `export {};\n${"void 0;\n".repeat(400)}`,
  "packages/core/src/engine/long-function.ts": `export function f(): number {\n${"  // line\n".repeat(61)}  return 1;\n}\n`,
  "packages/core/src/engine/drops-promise.ts":
    "async function save(): Promise<void> {}\nexport function close(): void {\n  save();\n}\n",
  "packages/core/src/engine/maps-promise.ts":
    "export async function f(xs: readonly number[]): Promise<void> {\n  for (const x of xs) await Promise.resolve(x);\n  xs.forEach(async (x) => {\n    await Promise.resolve(x);\n  });\n}\n",
  "packages/core/src/engine/misses-case.ts":
    'export function f(x: "a" | "b"): number {\n  switch (x) {\n    case "a":\n      return 1;\n  }\n  return 0;\n}\n',
  "packages/core/src/graph/imports-node.ts": 'import "node:path";\n',
  "packages/core/src/graph/imports-engine.ts": 'import "../engine/imports-model.ts";\n',
  "packages/core/src/graph/imports-model.ts": 'import "../model/leaf.ts";\n',
  "packages/core/src/model/leaf.ts": "export const leaf: number = 1;\n",
  "packages/core/src/machine/reads-date.ts": "export const a: number = Date.now();\n",
  "packages/core/src/machine/sets-timer.ts": "setTimeout(() => undefined, 1);\n",
  "packages/core/src/machine/reads-process.ts": "export const a: string = process.version;\n",
  "packages/core/src/machine/reads-clock.ts": "export const a: number = performance.now();\n",
  "packages/core/src/machine/prints.ts": 'console.log("x");\n',
  "packages/core/src/machine/imports-node.ts": 'import "node:fs";\n',
  "packages/core/src/machine/imports-journal.ts": 'import "../journal/journal.ts";\n',
  "packages/core/src/machine/imports-yaml.ts": 'import "yaml";\n',
  "packages/core/src/machine/permitted.ts":
    'import "../model/leaf.ts";\nimport "../graph/plan.ts";\nimport "../backend/capabilities.ts";\nimport "./prints.ts";\n',
  "packages/core/src/graph/plan.ts": "export {};\n",
  "packages/core/src/journal/journal.ts": "export {};\n",
  "packages/core/src/backend/capabilities.ts": "export {};\n",
  "packages/backend-slurm/src/imports-sibling.ts": 'import "@flow/backend-local/process";\n',
  "packages/backend-slurm/src/permitted.ts": 'import "@flow/core";\nimport "@flow/core/testing";\n',
  "packages/backend-gpu/src/imports-whole-sibling.ts": 'import "@flow/backend-local";\n',
  "packages/backend-gpu/src/permitted.ts": 'import "@flow/core";\n',
  "packages/cli/src/permitted.ts": 'import "@flow/backend-local";\n',
};

let folder: string;
let biomeFindings: ReadonlyMap<string, readonly string[]>;
let oxlintFindings: ReadonlyMap<string, readonly string[]>;
let knipFindings: ReadonlyMap<string, readonly string[]>;

function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const options = { cwd: folder, maxBuffer: 64 << 20 };
    execFile(join(root, "node_modules/.bin", command), args, options, (_error, stdout, stderr) =>
      resolve(stdout === "" ? stderr : stdout),
    );
  });
}

async function plant(): Promise<void> {
  for (const name of [
    "biome.json",
    ".oxlintrc.json",
    "package.json",
    "tsconfig.base.json",
    ".gitignore",
  ])
    await cp(join(root, name), join(folder, name));
  for (const name of packages)
    for (const file of ["package.json", "tsconfig.json"])
      await cp(join(root, "packages", name, file), join(folder, "packages", name, file));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  for (const [path, text] of Object.entries(planted)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

/** Collects rule names per file from `tool`'s report. */
function group(rows: Iterable<readonly [path: string, rule: string]>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [path, rule] of rows) found.set(path, [...(found.get(path) ?? []), rule]);
  return found;
}

interface BiomeReport {
  readonly diagnostics: readonly {
    readonly category: string;
    readonly location: { readonly path: string | { readonly file: string } };
  }[];
}

interface KnipReport {
  readonly issues: readonly {
    readonly file: string;
    readonly files?: readonly unknown[];
    readonly unlisted?: readonly { readonly name: string }[];
  }[];
}

interface OxlintReport {
  readonly diagnostics: readonly { readonly code: string; readonly filename: string }[];
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "flow-boundaries-"));
  await plant();
  const biome = JSON.parse(
    await run("biome", ["lint", "--reporter=json", "--max-diagnostics=none"]),
  ) as BiomeReport;
  biomeFindings = group(
    biome.diagnostics.map(({ category, location: { path } }) => [
      typeof path === "string" ? path : path.file,
      category.split("/").at(-1) ?? category,
    ]),
  );
  const oxlint = JSON.parse(await run("oxlint", ["--format=json"])) as OxlintReport;
  oxlintFindings = group(
    oxlint.diagnostics.map(({ code, filename }) => [filename, code.replace(/^.*\((.*)\)$/, "$1")]),
  );
  const knip = JSON.parse(
    await run("knip", ["--reporter=json", "--no-config-hints"]),
  ) as KnipReport;
  knipFindings = group(
    knip.issues.flatMap(({ file, files = [], unlisted = [] }) => [
      ...files.map(() => [file, "unused file"] as const),
      ...unlisted.map(({ name }) => [file, `unlisted ${name}`] as const),
    ]),
  );
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe("Biome reports", () => {
  it.each([
    ["the core importing a backend", "core/src/engine/imports-backend.ts", "noRestrictedImports"],
    [
      "a package importing what it does not declare",
      "core/src/engine/undeclared.ts",
      "noUndeclaredDependencies",
    ],
    ["one end of an import cycle", "core/src/engine/cycle-a.ts", "noImportCycles"],
    ["the other end of an import cycle", "core/src/engine/cycle-b.ts", "noImportCycles"],
    ["printing outside the command line", "core/src/engine/prints.ts", "noConsole"],
    ["a file over 400 lines", "core/src/engine/long-file.ts", "noExcessiveLinesPerFile"],
    ["a function over 60 lines", "core/src/engine/long-function.ts", "noExcessiveLinesPerFunction"],
    ["the graph importing node:path", "core/src/graph/imports-node.ts", "noRestrictedImports"],
    ["the graph importing the engine", "core/src/graph/imports-engine.ts", "noRestrictedImports"],
    ["the machine reading Date", "core/src/machine/reads-date.ts", "noRestrictedGlobals"],
    ["the machine setting a timer", "core/src/machine/sets-timer.ts", "noRestrictedGlobals"],
    ["the machine reading process", "core/src/machine/reads-process.ts", "noRestrictedGlobals"],
    ["the machine reading performance", "core/src/machine/reads-clock.ts", "noRestrictedGlobals"],
    ["the machine printing", "core/src/machine/prints.ts", "noConsole"],
    ["the machine importing node:fs", "core/src/machine/imports-node.ts", "noRestrictedImports"],
    [
      "the machine importing the journal",
      "core/src/machine/imports-journal.ts",
      "noRestrictedImports",
    ],
    ["the machine importing a library", "core/src/machine/imports-yaml.ts", "noRestrictedImports"],
    [
      "a backend importing its sibling",
      "backend-slurm/src/imports-sibling.ts",
      "noRestrictedImports",
    ],
    [
      "the GPU backend importing all of its sibling",
      "backend-gpu/src/imports-whole-sibling.ts",
      "noRestrictedImports",
    ],
  ])("%s", (_what, path, rule) => {
    expect(biomeFindings.get(`packages/${path}`)).toContain(rule);
  });

  it.each([
    "core/src/engine/imports-model.ts",
    "core/src/graph/imports-model.ts",
    "core/src/machine/permitted.ts",
    "backend-slurm/src/permitted.ts",
    "backend-gpu/src/permitted.ts",
    "cli/src/permitted.ts",
  ])("nothing in the permitted %s", (path) => {
    expect(biomeFindings.get(`packages/${path}`) ?? []).toEqual([]);
  });
});

describe("oxlint reports", () => {
  it.each([
    ["a promise nobody waits for", "core/src/engine/drops-promise.ts", "no-floating-promises"],
    ["an async callback of forEach", "core/src/engine/maps-promise.ts", "no-misused-promises"],
    [
      "a switch that misses a case",
      "core/src/engine/misses-case.ts",
      "switch-exhaustiveness-check",
    ],
  ])("%s", (_what, path, rule) => {
    expect(oxlintFindings.get(`packages/${path}`)).toContain(rule);
  });

  it("nothing in a clean file", () => {
    expect(oxlintFindings.get("packages/core/src/model/leaf.ts") ?? []).toEqual([]);
  });
});

describe("Knip reports", () => {
  it("a dependency that no package.json declares", () => {
    expect(knipFindings.get("packages/core/src/engine/undeclared.ts")).toEqual(["unlisted execa"]);
  });

  it("a file that nothing reaches", () => {
    expect(knipFindings.get("packages/core/src/engine/unreached.ts")).toEqual(["unused file"]);
  });
});

describe("the machine", () => {
  it("never calls Math.random", async () => {
    const machine = join(root, "packages/core/src/machine");
    const names = await readdir(machine, { recursive: true });
    const sources = names.filter((name) => name.endsWith(".ts"));
    expect(sources).not.toEqual([]);
    for (const name of sources)
      expect(await readFile(join(machine, name), "utf8"), name).not.toMatch(/Math\s*\.\s*random/);
  });
});
