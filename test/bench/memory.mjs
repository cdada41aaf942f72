/**
 * What flow itself needs of memory: for tasks that print a lot, for running very many tasks, and for
 * finding out that nothing is to do in a large project, whose time is compared with that of one a tenth
 * as large.
 * `node test/bench/memory.mjs`; needs GNU time.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const flow = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));
const generator = fileURLToPath(new URL("layered.mjs", import.meta.url));

/** Settings that make every start of Node slower (extra certificates, preloads) are not measured. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("NODE_")),
);

/** Wall milliseconds and peak resident megabytes of flow's own process; ends the benchmark when it fails. */
function measure(folder, args) {
  const report = join(folder, ".peak");
  const start = performance.now();
  const command = ["-f", "%M", "-o", report, process.execPath, flow, ...args];
  const { status, stderr } = spawnSync("/usr/bin/time", command, {
    cwd: folder,
    env,
    stdio: ["ignore", "ignore", "pipe"],
    maxBuffer: 1 << 30,
  });
  const ms = performance.now() - start;
  if (status !== 0) {
    process.stderr.write(`flow ${args.join(" ")} failed in ${folder}:\n${stderr}\n`);
    process.exit(1);
  }
  const megabytes = Number(readFileSync(report, "utf8").trim().split("\n").at(-1)) / 1024;
  return { ms, megabytes };
}

function inFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), "flow-memory-"));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** GNU time tells the largest of flow and the programs it has waited for; these are small. */
const LOUD = `tasks:
  loud:
    matrix: { n: 1..100 }
    metrics: { stdout: "loss=(?<loss>[0-9.]+)" }
    targets: ["out/\${{ matrix.n }}"]
    actions: ["yes 'a line of output that is sixty-four bytes long with its end 1234' | head -c 10000000; echo loss=0.25; : > \${{ target }}"]
`;

const shown = ({ ms, megabytes }) => `${megabytes.toFixed(0)} MB, ${(ms / 1000).toFixed(1)} s`;

if (!existsSync("/usr/bin/time")) {
  process.stderr.write("memory is not measured: GNU time is not installed\n");
  process.exit(0);
}

const loud = inFolder((folder) => {
  writeFileSync(join(folder, "flow.yaml"), LOUD);
  return measure(folder, ["run", "-n", "2", "--output", "plain"]);
});
process.stdout.write(`\n100 tasks printing 10 MB each (at most 150 MB): ${shown(loud)}\n`);

const first = inFolder((folder) => {
  spawnSync(process.execPath, [generator, folder, "20000"], { cwd: folder });
  return measure(folder, ["run", "-n", "2", "-q"]);
});
process.stdout.write(`first run of 20,000 trivial tasks: ${shown(first)}\n`);

const [small, large] = [10_000, 100_000].map((count) =>
  inFolder((folder) => {
    spawnSync(process.execPath, [generator, folder, String(count)], { cwd: folder });
    // As if all had run: making the files and taking them as they are takes much less time.
    for (let task = 0; task < count; task += 1)
      writeFileSync(join(folder, "out", String(task)), "");
    measure(folder, ["accept", "*"]);
    for (let settling = 0; settling < 2; settling += 1) measure(folder, ["run", "-q"]);
    const rounds = Array.from({ length: 5 }, () => measure(folder, ["run", "-q"]));
    return rounds.toSorted((one, other) => one.ms - other.ms)[2];
  }),
);
process.stdout.write(
  `nothing to do, 10,000 tasks: ${shown(small)}\nnothing to do, 100,000 tasks (at most 350 MB and 10 ×): ${shown(large)}, ${(large.ms / small.ms).toFixed(1)} ×\n`,
);
