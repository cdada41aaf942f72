/**
 * How long it takes to find out that nothing is to do: flow against ninja, make and doit (those that
 * are installed) on the same layered graph, measured in turn, round after round, and compared round
 * by round. `node test/bench/noop.mjs [COUNT…]`; sets up each project with one full run of every
 * tool, which takes a while for large counts. Peak memory is shown where GNU time is installed.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const flow = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));
const generator = fileURLToPath(new URL("layered.mjs", import.meta.url));
const rounds = 11;

/** Settings that make every start of Node slower (extra certificates, preloads) are not measured. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith("NODE_")),
);

const tools = [
  {
    name: "flow",
    full: [process.execPath, flow, "run", "-n", "2", "-q"],
    again: [process.execPath, flow, "run", "-n", "2", "-q"],
  },
  { name: "ninja", full: ["ninja", "-j2", "--quiet"], again: ["ninja", "-j2", "--quiet"] },
  { name: "make", full: ["make", "-j2", "-s"], again: ["make", "-j2", "-s"] },
  { name: "doit", full: ["doit", "-n", "2"], again: ["doit"] },
];

const isInstalled = ({ full }) => spawnSync(full[0], ["--version"]).error === undefined;

/** Wall milliseconds of one run; ends the benchmark when it fails. */
function time(command, cwd) {
  const start = performance.now();
  const { status, stderr } = spawnSync(command[0], command.slice(1), {
    cwd,
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  const took = performance.now() - start;
  if (status !== 0) {
    process.stderr.write(`${command.join(" ")} failed in ${cwd}:\n${stderr}\n`);
    process.exit(1);
  }
  return took;
}

/** Peak resident megabytes; undefined without GNU time. */
function peak(command, cwd) {
  if (!existsSync("/usr/bin/time")) return undefined;
  const report = join(cwd, ".peak");
  time(["/usr/bin/time", "-f", "%M", "-o", report, ...command], cwd);
  const kilobytes = Number(readFileSync(report, "utf8"));
  rmSync(report);
  return kilobytes / 1024;
}

const median = (values) => values.toSorted((one, other) => one - other)[values.length >> 1];

function measure(count) {
  const folder = mkdtempSync(join(tmpdir(), "flow-noop-"));
  const present = tools.filter(isInstalled);
  time([process.execPath, generator, folder, String(count)], folder);
  // The tools work on the same files; the last one to run must not make the others' look old.
  for (const { full } of present.toReversed()) time(full, folder);
  for (const { again } of present) {
    time(again, folder);
    time(again, folder);
  }
  const walls = new Map(present.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, again } of present) walls.get(name).push(time(again, folder));
  }
  process.stdout.write(`\nnothing to do, ${count} layered tasks, ${rounds} rounds\n`);
  process.stdout.write(
    "tool      median ms    min    max   ratio, median (min … max)      peak MB\n",
  );
  for (const { name, again } of present) {
    const times = walls.get(name);
    const ratios = walls.get("flow").map((wall, round) => wall / times[round]);
    const row = [
      name.padEnd(8),
      median(times).toFixed(1).padStart(10),
      Math.min(...times)
        .toFixed(1)
        .padStart(7),
      Math.max(...times)
        .toFixed(1)
        .padStart(7),
      `flow / ${name} = ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} … ${Math.max(...ratios).toFixed(2)})`.padStart(
        40,
      ),
      (peak(again, folder)?.toFixed(0) ?? "–").padStart(7),
    ];
    process.stdout.write(`${row.join(" ")}\n`);
  }
  rmSync(folder, { recursive: true });
}

const counts = process.argv.slice(2).map(Number);
if (counts.some((count) => !(count > 0))) {
  process.stderr.write("usage: node test/bench/noop.mjs [COUNT…]\n");
  process.exit(2);
}
for (const count of counts.length > 0 ? counts : [1000, 10_000]) measure(count);
