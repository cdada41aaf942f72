/**
 * How fast trivial shell actions run, each with its journal entries and records: flow against make and
 * doit on the same wide graph, measured in turn, round after round, and compared round by round.
 * `node test/bench/full.mjs [COUNT]`; every run starts in an empty folder.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const flow = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));
const count = Number(process.argv[2] ?? 2000);
const rounds = 5;

const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("NODE_")),
);

const names = Array.from({ length: count }, (_, index) => `t${index}`);

const files = {
  "flow.json": JSON.stringify({
    tasks: Object.fromEntries(
      names.map((name) => [name, { targets: [`${name}.out`], actions: [`: > ${name}.out`] }]),
    ),
  }),
  Makefile: `all: ${names.map((name) => `${name}.out`).join(" ")}\n${names
    .map((name) => `${name}.out:\n\t@: > ${name}.out\n`)
    .join("")}`,
  "dodo.py": `def task_all():
    for i in range(${count}):
        yield {"name": str(i), "actions": [": > t%d.out" % i], "targets": ["t%d.out" % i]}
`,
};

const tools = [
  { name: "flow", command: [process.execPath, flow, "run", "-f", "flow.json", "-n", "2", "-q"] },
  { name: "make", command: ["make", "-j2", "-s"] },
  { name: "doit", command: ["doit", "-n", "2"] },
].filter(({ command }) => spawnSync(command[0], ["--version"]).error === undefined);

/** Removed at the end only: on some file systems making files is dear while removed ones are remembered. */
const root = mkdtempSync(join(tmpdir(), "flow-bench-"));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));

/** Wall milliseconds of one run in a folder of its own. */
function time(command) {
  const folder = mkdtempSync(join(root, "run-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const start = performance.now();
  const { status } = spawnSync(command[0], command.slice(1), { cwd: folder, env, stdio: "ignore" });
  const took = performance.now() - start;
  if (status !== 0) throw new Error(`${command.join(" ")} ended with ${status}`);
  return took;
}

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

const taken = new Map(tools.map(({ name }) => [name, []]));
for (let round = 0; round <= rounds; round++) {
  for (const { name, command } of tools) {
    const took = time(command);
    if (round > 0) taken.get(name).push(took);
  }
}
console.log(
  `${count} trivial shell actions, two at once, ${rounds} rounds after one that is not counted`,
);
const own = taken.get("flow");
for (const [name, values] of taken) {
  const rates = own.map((took, index) => values[index] / took);
  const range = `${Math.min(...rates).toFixed(2)}–${Math.max(...rates).toFixed(2)}`;
  console.log(
    `${name.padEnd(5)} ${median(values).toFixed(0).padStart(7)} ms   flow's rate is ${median(rates).toFixed(2)} × (${range})`,
  );
}
