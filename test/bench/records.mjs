/**
 * Lists the records of many attempts: `flow runs` cold (nothing remembered) and warm. Usage:
 * `node test/bench/records.mjs [ATTEMPTS]` after `npm run build`.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));
const attempts = Number(process.argv[2] ?? 10_000);
const folder = mkdtempSync(join(tmpdir(), "flow-bench-records-"));

const flow = (...args) => {
  const began = performance.now();
  execFileSync(process.execPath, [main, ...args], { cwd: folder, stdio: "ignore" });
  return Math.round(performance.now() - began);
};

/** One real attempt, written down again under other names and with other numbers. */
function multiply() {
  const tasks = join(folder, ".flow/tasks");
  const [group] = readdirSync(tasks);
  const [key] = readdirSync(join(tasks, group));
  const from = join(tasks, group, key, "attempts/1");
  const record = JSON.parse(readFileSync(join(from, "attempt.json"), "utf8"));
  const result = JSON.parse(readFileSync(join(from, "result.json"), "utf8"));
  for (let index = 1; index < attempts; index += 1) {
    const other = createHash("sha256").update(String(index)).digest("hex").slice(0, 16);
    const to = join(tasks, other.slice(0, 2), other, "attempts/1");
    mkdirSync(to, { recursive: true });
    record.key = `${other}-1`;
    record.task.id = `train@seed=${index}`;
    record.task.params = { lr: String((index % 7) / 10), seed: String(index) };
    result.metrics.loss.last = index / attempts;
    writeFileSync(join(to, "attempt.json"), JSON.stringify(record));
    writeFileSync(join(to, "result.json"), JSON.stringify(result));
    writeFileSync(join(to, "stdout"), "loss 1\nloss 0.5\n");
  }
}

try {
  writeFileSync(
    join(folder, "flow.yaml"),
    'version: 1\ntasks: { train: { metrics: { stdout: "loss (?<loss>[0-9.]+)" }, actions: ["echo loss 1"] } }\n',
  );
  flow("run", "-q");
  multiply();
  // Directories that have just changed are not believed yet.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const cold = flow("runs");
  const query = ["runs", "lr < 0.3 and loss > 0.5", "--sort", "-loss"];
  const warm = Array.from({ length: 5 }, () => flow(...query)).sort((a, b) => a - b);
  const start = Math.min(...Array.from({ length: 5 }, () => flow("version")));
  process.stdout.write(
    `${attempts} attempts: cold ${cold} ms, warm ${warm[0]} ms (median ${warm[2]} ms), \`flow version\` ${start} ms\n`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
