/** A project that the cluster does not see: code and inputs go there, what was made comes back. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";
import { type Cluster, startCluster } from "./cluster.ts";

const main = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));

/** Every program says where it is told to be; nothing may be in the project's own folder. */
const witness = `env | grep -F "ROOT" && exit 9; pwd`;

const flowFile = `version: 1
code: {omit: [seen]}
backends:
  cluster: {type: slurm, host: login, ssh_config: SSH_CONFIG, folder: FOLDER, poll: 200ms}
tasks:
  words:
    deps: [source.txt]
    targets: [made/words.txt]
    actions: ["tr a-z A-Z <source.txt >made/words.txt"]
  count:
    backend: cluster
    matrix: {n: 1..3}
    deps: [made/words.txt, count.sh, {path: seen, optional: true}]
    targets: ["counts/\${{ matrix.n }}.txt", "all/\${{ matrix.n }}/"]
    actions: ["sh count.sh \${{ matrix.n }}"]
  train:
    backend: cluster
    deps: [{task: count}]
    targets: [model]
    checkpoint: true
    requeue_codes: [3]
    values: found.json
    metrics: {jsonl: steps.jsonl}
    actions: ["sh tools/train.sh"]
`;

systemSuite(["slurm", "sshd"], "a project that the nodes do not see", () => {
  let cluster: Cluster;
  let root: string;
  beforeAll(async () => {
    cluster = await startCluster({ SSHD: 1 });
  });
  afterAll(() => cluster?.stop());

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "flow-elsewhere-"));
    const config = join(root, "../", `${root.split("/").at(-1)}.ssh`);
    write(config, cluster.sshConfig("login"));
    put("flow.yaml", flowFile.replace("SSH_CONFIG", config).replace("FOLDER", there()));
    put("source.txt", "one two\n");
    put(
      "count.sh",
      `${witness.replace("ROOT", root)}\nmkdir -p all/$1\necho "$1 $(wc -c <made/words.txt)" | tee all/$1/x >counts/$1.txt\n`,
    );
    spawnSync("mkdir", [join(root, "tools")]);
    put(
      "tools/train.sh",
      `n=$(cat "$FLOW_CHECKPOINT_DIR/n" 2>/dev/null || echo 0)
echo "start $n of $(cat counts/*.txt | wc -l)"
echo $((n + 1)) >"$FLOW_CHECKPOINT_DIR/n"
[ "$n" -ge 1 ] || exit 3
echo '{"n": '$n'}' >found.json
echo '{"step": 1, "loss": 0.5}' >steps.jsonl
echo done >model
`,
    );
  });
  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
    rmSync(`${root}.ssh`, { force: true });
  });

  const write = (path: string, text: string) => writeFileSync(path, text);
  const put = (name: string, text: string) => write(join(root, name), text);
  const read = (name: string) => readFileSync(join(root, name), "utf8");
  const there = () => join(cluster.directory, "scratch", root.split("/").at(-1) ?? "");
  const folder = () => join(there(), readdirSync(there())[0] ?? "");
  const flow = (...args: readonly string[]) =>
    spawnSync(process.execPath, [main, ...args], {
      cwd: root,
      env: process.env,
      encoding: "utf8",
      timeout: 250_000,
    });

  /** Only the last task, with this program. */
  const putTraining = (text: string) => {
    const file = read("flow.yaml").replace(/ {2}words:[\s\S]* {2}train:/, "  train:");
    put("flow.yaml", file.replace("deps: [{task: count}]", "deps: [tools/train.sh]"));
    put("tools/train.sh", text);
  };
  const until = async (holds: () => boolean) => {
    const end = performance.now() + 120_000;
    while (!holds()) {
      if (performance.now() > end) throw new Error("waited two minutes in vain");
      await sleep(50);
    }
  };

  it("code, inputs and results travel, each content once, and nothing is left of a job", () => {
    const first = flow("run");
    expect(first.status, first.stdout + first.stderr).toBe(0);
    expect(read("counts/2.txt")).toBe("2 8\n");
    expect(read("all/3/x")).toBe("3 8\n");
    expect(read("found.json")).toBe('{"n": 1}\n');
    expect(read("model")).toBe("done\n");
    expect(read("steps.jsonl")).toBe('{"step": 1, "loss": 0.5}\n');
    expect(flow("runs", "task == 'train' and loss == 0.5").stdout).toContain("✔ done");
    expect(flow("logs", "train").stdout).toContain("start 0 of 3\nstart 1 of 3\n");
    const place = flow("logs", "count@n=1").stdout.trim();
    expect(place.startsWith(join(folder(), "work"))).toBe(true);
    for (const name of ["work", "attempts"]) expect(readdirSync(join(folder(), name))).toEqual([]);
    expect(readdirSync(folder()).filter((name) => name.startsWith("draft"))).toEqual([]);
    const contents = readdirSync(join(folder(), "files"));
    expect(flow("plan", "--check").status).toBe(0);

    put("source.txt", "one two three\n");
    const second = flow("run", "count");
    expect(second.status, second.stdout + second.stderr).toBe(0);
    expect(read("counts/2.txt")).toBe("2 14\n");
    const added = readdirSync(join(folder(), "files")).length - contents.length;
    // The words, the three counts with their copies, which are equal to them, and the source itself.
    expect(added).toBeLessThanOrEqual(5);

    expect(readdirSync(there())).toHaveLength(1);
    const clean = flow("clean", "--yes");
    expect(clean.status, clean.stderr).toBe(0);
    expect(clean.stderr).toContain(`removed the folder login:${there()}/`);
    expect(readdirSync(there())).toEqual([]);
    expect(existsSync(join(root, "model"))).toBe(false);
  });

  it("what a killed flow had submitted comes home with the next one, started once", async () => {
    putTraining(
      `echo start >>"$FLOW_CHECKPOINT_DIR/starts"\nsleep 3\ncp "$FLOW_CHECKPOINT_DIR/starts" model; echo '{}' >found.json\n`,
    );
    const child = spawn(process.execPath, [main, "run"], {
      cwd: root,
      env: process.env,
      stdio: "ignore",
    });
    const started = () =>
      cluster.run("squeue", "-h", "-t", "R", "-O", "comment:80").includes("train");
    await until(started);
    child.kill("SIGKILL");
    const next = flow("run");
    expect(next.status, next.stdout + next.stderr).toBe(0);
    expect(read("model")).toBe("start\n");
  });

  it("a stop reaches the program, and its checkpoint is here afterwards", async () => {
    putTraining(
      `trap 'cat "$FLOW_STOP_FILE" >"$FLOW_CHECKPOINT_DIR/told"; exit 75' TERM
[ ! -e "$FLOW_CHECKPOINT_DIR/told" ] || { echo again >model; echo '{}' >found.json; exit 0; }
echo ready
while :; do sleep 0.1; done
`,
    );
    const child = spawn(process.execPath, [main, "run", "--output", "plain"], {
      cwd: root,
      env: process.env,
    });
    let shown = "";
    child.stdout.on("data", (chunk) => (shown += chunk));
    child.stderr.on("data", (chunk) => (shown += chunk));
    const isReady = () => flow("logs", "train").stdout.includes("ready");
    await until(isReady);
    const over = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGINT");
    expect(await over, shown).toBe(130);
    const kept = spawnSync("find", [join(root, ".flow/tasks"), "-name", "told"], {
      encoding: "utf8",
    });
    expect(readFileSync(kept.stdout.trim(), "utf8")).toContain(`"reason":"user"`);
    const next = flow("run");
    expect(next.status, next.stdout + next.stderr).toBe(0);
    expect(existsSync(join(root, "model"))).toBe(true);
  });
});
