/**
 * What the script's side costs: the import of the helper against an empty Python, the runner for nodes
 * without Node.js against a plain wrapper that keeps the same promise about killing (a process group of
 * its own), and the snapshot of unchanged code against `git status`. Measured in turn, compared pair by
 * pair. `node test/bench/script.mjs [FILES]`
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { captureTree } from "../../packages/core/dist/index.js";
import { flowRunnerPath, flowTaskPath, shellSpec } from "../../packages/task-py/dist/index.js";

const count = Number(process.argv[2] ?? 10_000);
const root = mkdtempSync(join(tmpdir(), "flow-bench-"));
process.on("exit", () => rmSync(root, { recursive: true, force: true }));

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

async function compare(title, rounds, one, other) {
  const taken = [[], []];
  for (let round = -1; round < rounds; round++) {
    for (const [index, run] of [one, other].entries()) {
      const start = performance.now();
      await run();
      if (round >= 0) taken[index].push(performance.now() - start);
    }
  }
  const ratios = taken[0].map((took, index) => took / taken[1][index]);
  const [own, peer] = taken.map((times) => median(times).toFixed(1));
  console.log(`${title.padEnd(44)} ${own} ms against ${peer} ms: ${median(ratios).toFixed(2)} ×`);
}

const mustRun = (command, args, options) => {
  const { status } = spawnSync(command, args, { stdio: "ignore", ...options });
  if (status !== 0) throw new Error(`${command} ended with ${status}`);
};

cpSync(flowTaskPath, join(root, "flow_task.py"));
// The interpreter itself, where `python3` is a script that chooses one.
const python = execFileSync("python3", ["-c", "import sys; print(sys.executable)"])
  .toString()
  .trim();
// The first import compiles; what a cluster pays again and again is the cached one.
const { PYTHONDONTWRITEBYTECODE: _, ...env } = process.env;
const py = (text) => () => mustRun(python, ["-c", text], { cwd: root, env });
await compare("import flow_task / empty Python", 60, py("import flow_task"), py("pass"));

const attempt = join(root, "attempt");
const spec = shellSpec({ version: 1, key: "bench-1", actions: [{ argv: ["/bin/true"] }] });
const plain = join(root, "plain.sh");
writeFileSync(
  plain,
  `set -C; echo "pid=$$" >started || exit 97; set +C
(cd "$1" && shift && exec setsid "$@") </dev/null >>stdout 2>>stderr &
wait $!
code=$?
read -r up rest </proc/uptime
echo "code=$code uptime=$up" >exit
`,
);
const wrapped = (args) => () => {
  rmSync(attempt, { recursive: true, force: true });
  mkdirSync(attempt);
  writeFileSync(join(attempt, "spec.sh"), spec);
  mustRun("sh", args, { cwd: attempt });
};
await compare(
  "flow-runner.sh / plain wrapper",
  150,
  wrapped([flowRunnerPath, join(attempt, "spec.sh")]),
  wrapped([plain, "/", "/bin/true"]),
);

const project = join(root, "project");
for (let index = 0; index < count; index++) {
  const folder = join(project, `d${index % 100}`);
  if (index < 100) mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `f${index}.py`), `print(${index})\n`);
}
const git = (...args) =>
  mustRun("git", ["-c", "user.name=b", "-c", "user.email=b@b", ...args], { cwd: project });
git("init", "-q");
git("add", "-A");
git("commit", "-qm", "All");
const request = { root: project, code: { include: [], omit: [] }, products: [] };
await new Promise((resolve) => setTimeout(resolve, 2500));
await captureTree(request);
await compare(
  `snapshot of ${count} unchanged files / git status`,
  15,
  () => captureTree(request),
  () => git("status", "--porcelain"),
);
