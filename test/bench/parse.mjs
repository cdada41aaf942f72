/**
 * What the first reading of a flow file costs: a generated file as YAML and as JSON, against the bare
 * parse of the same text by the library `yaml`. Each reading is the first of a new process, and its
 * own processor time is counted, not the start of Node; measured in turn, round after round, and
 * compared round by round. `node test/bench/parse.mjs [COUNT]`.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The library that flow reads YAML with. */
const { parseDocument, stringify } = createRequire(
  new URL("../../packages/core/package.json", import.meta.url),
)("yaml");

/** What the command line asks of V8 at its start, see `packages/cli/src/engine.ts`. */
const engine = process.versions.v8.startsWith("11.") ? ["--interrupt-budget=540000"] : [];

const rounds = 7;
const [what, path] = process.argv.slice(2);

if (path !== undefined) {
  const read =
    what === "bare" ? () => parseDocument(readFileSync(path, "utf8")) : await loaderOf(path);
  const before = process.cpuUsage();
  read();
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(String((user + system) / 1000));
} else {
  const count = Number(what ?? 10_000);
  const folder = mkdtempSync(join(tmpdir(), "flow-parse-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  compare(count, folder);
}

/** Reads a flow file as flow does, from its text to tasks. */
async function loaderOf(file) {
  const { loadProject } = await import("../../packages/core/dist/flowfile/load.js");
  const { nodeFileSystem } = await import("../../packages/core/dist/ports/node/file-system.js");
  const request = { file, directory: ".", params: [], paramsFile: undefined, env: {} };
  return () => {
    const { project } = loadProject({ ...request, fileSystem: nodeFileSystem });
    if (project === undefined) throw new Error(`${file} has errors`);
  };
}

function compare(count, folder) {
  const tasks = Array.from({ length: count }, (_, index) => [
    `t${index}`,
    { deps: ["source"], targets: [`out/t${index}`], actions: [`: > out/t${index}`] },
  ]);
  const document = { tasks: Object.fromEntries(tasks) };
  const files = { yaml: join(folder, "flow.yaml"), json: join(folder, "flow.json") };
  writeFileSync(files.yaml, stringify(document));
  writeFileSync(files.json, JSON.stringify(document));
  const own = fileURLToPath(import.meta.url);
  const ways = {
    bare: [own, "bare", files.yaml],
    yaml: [...engine, own, "flow", files.yaml],
    json: [...engine, own, "flow", files.json],
  };
  const taken = { bare: [], yaml: [], json: [] };
  for (let round = 0; round <= rounds; round++) {
    for (const [name, way] of Object.entries(ways)) {
      const cost = Number(execFileSync(process.execPath, way, { encoding: "utf8" }));
      if (round > 0) taken[name].push(cost);
    }
  }
  const median = (values) => values.toSorted((one, other) => one - other)[values.length >> 1];
  const ratio = (over, under) => {
    const ratios = taken[over].map((cost, round) => cost / taken[under][round]);
    const range = `${Math.min(...ratios).toFixed(2)} … ${Math.max(...ratios).toFixed(2)}`;
    return `${median(ratios).toFixed(2)} (${range})`;
  };
  console.log(`first reading of a file of ${count} tasks, ${rounds} rounds, processor time`);
  for (const [name, costs] of Object.entries(taken)) {
    console.log(`${name.padEnd(5)} ${median(costs).toFixed(0).padStart(6)} ms`);
  }
  console.log(`flow's reading of YAML / the bare parse = ${ratio("yaml", "bare")}`);
  console.log(`the bare parse of YAML / flow's reading of JSON = ${ratio("bare", "json")}`);
  console.log(`the same file as YAML / as JSON = ${ratio("yaml", "json")}`);
}
