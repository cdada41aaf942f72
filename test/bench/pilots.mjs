/**
 * What a SLURM cluster costs flow, on a real one that is started for it on this machine: as many
 * trivial tasks through pilots and as one job array, in turn; what submitting and recording take; and
 * flow's own processor time while a thousand jobs run, for which the commands of SLURM are played.
 *
 *     npm run build && node test/bench/pilots.mjs [TASKS] [ROUNDS]
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));
const cluster = fileURLToPath(new URL("../slurm/cluster.sh", import.meta.url));
const count = Number(process.argv[2] ?? 1000);
const rounds = Number(process.argv[3] ?? 3);
const PATH = `${process.env.PATH}${delimiter}/usr/sbin${delimiter}/sbin`;

if (spawnSync("slurmctld", ["-V"], { env: { PATH } }).error !== undefined) {
  console.error("pilots are not measured: SLURM is not installed");
  process.exit(0);
}

const root = mkdtempSync(join(tmpdir(), "flow-pilots-"));
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const seconds = (ms, digits = 1) => `${(ms / 1000).toFixed(digits)} s`;

/** A program on a PATH of its own. */
function put(bin, name, text) {
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(bin, name), 0o755);
}

/** A folder with that many tasks, and what a command in it costs until it ends. */
function start(name, mode, env) {
  const folder = join(root, name);
  mkdirSync(folder);
  writeFileSync(
    join(folder, "flow.yaml"),
    `backends:
  cluster: {type: slurm, mode: ${mode}}
tasks:
  work: {backend: cluster, matrix: {n: 1..${count}}, actions: ["true"], resources: {cpus: 1}}
`,
  );
  const from = performance.now();
  const child = spawn(process.execPath, [main, "run", "-q"], {
    cwd: folder,
    env: { ...process.env, ...env, CALLS: join(folder, "calls") },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = once(child, "exit").then(([status]) => {
    if (status !== 0) throw new Error(`flow run ended with ${status} in ${folder}`);
    return performance.now() - from;
  });
  return { folder, pid: child.pid, ended };
}

/** Processor seconds of a process so far, with the programs it has waited for. */
function processorSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

/** Directories of the attempts below a project. */
const attemptsIn = (folder) =>
  readdirSync(join(folder, ".flow/tasks"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.name === "attempt.json")
    .map((entry) => entry.parentPath);

/** What was called, and when it began and ended, in milliseconds of the wall clock. */
const callsIn = (folder) =>
  readFileSync(join(folder, "calls"), "utf8")
    .trim()
    .split("\n")
    .map((line) => line.split(" "))
    .map(([program, begin, end]) => ({ program, begin: begin / 1e6, end: end / 1e6 }));

/** From the result of the task's own shell to flow's record of it. */
const delaysIn = (attempts) =>
  attempts.map(
    (each) =>
      statSync(join(each, "result.json")).mtimeMs - statSync(join(each, "0.0/exit")).mtimeMs,
  );

function describe(mode, { folder }, ms) {
  const attempts = attemptsIn(folder);
  const calls = callsIn(folder);
  const submits = calls.filter(({ program }) => program === "sbatch");
  const questions = calls.filter(({ program }) => program === "squeue");
  const first = Math.min(...attempts.map((each) => statSync(join(each, "submission.0")).mtimeMs));
  const pauses = questions.slice(1).map(({ begin }, n) => begin - questions[n].begin);
  const delays = delaysIn(attempts);
  console.log(
    [
      `${mode.padEnd(5)} ${seconds(ms).padStart(6)}`,
      `${submits.length} sbatch, ${seconds(submits[0].end - first, 2)} from the first task's note of it to its answer`,
      `${questions.length} squeue, at most ${seconds(Math.max(...pauses))} apart`,
      `end to record: half in ${seconds(median(delays))}, all in ${seconds(Math.max(...delays))}`,
    ].join("; "),
  );
}

/** Pilots and an array, in turn. */
async function compare() {
  const bin = join(root, "bin");
  for (const name of ["sbatch", "squeue"]) {
    const real = spawnSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).stdout.trim();
    // Of sbatch only submissions: not the look at the version, nor the trial of a request.
    const counted = name === "sbatch" ? "--parsable" : "--me";
    put(
      bin,
      name,
      `case " $* " in *" ${counted} "*) ;; *) exec ${real} "$@" ;; esac
begin=$(date +%s%N)
${real} "$@"
code=$?
echo "${name} $begin $(date +%s%N)" >>"$CALLS"
exit $code`,
    );
  }
  const env = {
    SLURM_CONF: join(root, "cluster/conf/slurm.conf"),
    PATH: `${bin}${delimiter}${PATH}`,
  };
  const taken = { pilot: [], job: [] };
  for (let round = 0; round < rounds; round++)
    for (const mode of ["pilot", "job"]) {
      const run = start(`${mode}-${round}`, mode, env);
      const ms = await run.ended;
      describe(mode, run, ms);
      taken[mode].push(ms);
    }
  const ratios = taken.job.map((ms, n) => ms / taken.pilot[n]);
  console.log(
    `${count} tasks: pilots ${seconds(median(taken.pilot))}, one array ${seconds(median(taken.job))}, ` +
      `${median(ratios).toFixed(1)} × (${ratios.map((each) => each.toFixed(1)).join(", ")}; wanted: 4)`,
  );
}

/** Jobs that all run at once until the file `over` appears; only what flow looks at is there. */
const PLAYED = {
  sbatch: `case $1 in
  --version) echo "slurm 22.05.8"; exit ;;
  --test-only) echo "sbatch: Job 1 to start at now in partition low" >&2; exit ;;
esac
for word; do case $word in --job-name=*) name=\${word#*=} ;; esac; done
folder=$(sed -n "s/^exec .* '\\([^']*\\)'$/\\1/p")
while read -r generation attempt; do
  mkdir -p "$attempt/$generation.0"
  echo "pid=1 start=1 boot=b host=n1 uptime=1.00 runner=sh" >"$attempt/$generation.0/started"
done <"$folder/index"
echo "$name" >"$PLAY/name"
echo 7`,
  squeue: `[ -e "$PLAY/name" ] || exit 0
read -r name <"$PLAY/name"
state=RUNNING
[ ! -e "$PLAY/over" ] || state=COMPLETED
date +%s%N | sed "s/.*/squeue & &/" >>"$CALLS"
awk -v name="$name" -v state="$state" 'BEGIN { for (n = 0; n < ${count}; n++) print "7|" n "|0|" state "|None|n1|" name "|" }'`,
  scontrol: `echo "MaxArraySize            = 100001"`,
  sinfo: `echo "low*|infinite"`,
  scancel: ":",
  sacct: "exit 1",
};

/** flow's own processor time while as many jobs run at once. */
async function watch() {
  const bin = join(root, "played");
  for (const [name, text] of Object.entries(PLAYED)) put(bin, name, text);
  const run = start("watched", "job", { PLAY: root, PATH: `${bin}${delimiter}${PATH}` });
  const calls = join(run.folder, "calls");
  while (!existsSync(calls)) await pause(100);
  await pause(10_000);
  const [before, from] = [processorSeconds(run.pid), performance.now()];
  const asked = callsIn(run.folder).length;
  await pause(60_000);
  const used = processorSeconds(run.pid) - before;
  const took = performance.now() - from;
  const questions = callsIn(run.folder).length - asked;
  console.log(
    `${count} jobs running: ${((100_000 * used) / took).toFixed(1)} % of a core with the commands it calls ` +
      `(wanted: under 5), ${questions} squeue in ${seconds(took)}`,
  );
  const attempts = attemptsIn(run.folder);
  for (const each of attempts)
    writeFileSync(
      join(each, "0.0/exit"),
      "code=0 signal=0 stopped=- cause=- action=1 leaky=0 error=- uptime=2.00 wall=1.00 user=0 sys=0 rss=-\n",
    );
  writeFileSync(join(root, "over"), "");
  await run.ended;
  const delays = delaysIn(attempts);
  console.log(
    `${count} jobs that end in one moment: half recorded in ${seconds(median(delays))}, all in ${seconds(Math.max(...delays))}`,
  );
}

const port = 10_000 + 100 * Math.floor(200 * Math.random());
try {
  const control = (what) =>
    spawnSync(cluster, [what, join(root, "cluster")], {
      env: { ...process.env, PORT: String(port) },
      stdio: ["ignore", "ignore", "inherit"],
    }).status;
  try {
    if (control("start") !== 0) throw new Error("the cluster did not start");
    await compare();
  } finally {
    control("stop");
  }
  await watch();
} finally {
  rmSync(root, { recursive: true, force: true, maxRetries: 20 });
}
