/**
 * Writes one graph of trivial tasks as a flow file (JSON), a ninja file, a makefile and a doit file
 * into a folder: layers of a hundred tasks, each task reading up to three targets of the layer
 * before. `node layered.mjs FOLDER COUNT`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const width = 100;

/** Tasks as `{ name, deps, target }`; the first layer reads one source file. */
function layeredTasks(count) {
  return Array.from({ length: count }, (_, index) => {
    const layer = Math.floor(index / width);
    const before = (layer - 1) * width;
    const deps =
      layer === 0
        ? ["source"]
        : [
            ...new Set(
              [index, index * 7 + 1, index * 13 + 5].map((n) => `out/${before + (n % width)}`),
            ),
          ];
    return { name: `t${index}`, deps, target: `out/${index}` };
  });
}

function write(folder, count) {
  const tasks = layeredTasks(count);
  mkdirSync(join(folder, "out"), { recursive: true });
  writeFileSync(join(folder, "source"), "source\n");
  const flow = {
    version: 1,
    defaults: { actions: [": > ${{ target }}"] },
    tasks: Object.fromEntries(
      tasks.map(({ name, deps, target }) => [name, { deps, targets: [target] }]),
    ),
  };
  writeFileSync(join(folder, "flow.yaml"), JSON.stringify(flow));
  writeFileSync(
    join(folder, "build.ninja"),
    `rule touch\n  command = : > $out\n${tasks.map(({ deps, target }) => `build ${target}: touch ${deps.join(" ")}\n`).join("")}`,
  );
  writeFileSync(
    join(folder, "Makefile"),
    `all: ${tasks.map(({ target }) => target).join(" ")}\n${tasks.map(({ deps, target }) => `${target}: ${deps.join(" ")}\n\t@: > $@\n`).join("")}`,
  );
  writeFileSync(
    join(folder, "dodo.py"),
    `DOIT_CONFIG = {"verbosity": 0, "reporter": "zero"}\nTASKS = ${JSON.stringify(tasks)}\ndef task_t():\n    for t in TASKS:\n        yield {"name": t["name"], "file_dep": t["deps"], "targets": [t["target"]], "actions": [": > " + t["target"]]}\n`,
  );
}

const [folder, count] = process.argv.slice(2);
if (folder === undefined || !(Number(count) > 0)) {
  process.stderr.write("usage: node layered.mjs FOLDER COUNT\n");
  process.exit(2);
}
write(folder, Number(count));
