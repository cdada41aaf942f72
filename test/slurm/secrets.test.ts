/** The value of a secret reaches the program and nothing else: no command line, no script, no file of flow's. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { findProgram, systemSuite } from "../rig/system.ts";
import { type Cluster, startCluster } from "./cluster.ts";

const main = fileURLToPath(new URL("../../packages/cli/dist/main.js", import.meta.url));

/** What is looked for stays whole however the value is quoted. */
const CORE = "core-3f9c1d77e2";
const VALUE = `it's $HOME ${CORE}`;

/** Commands whose arguments are written down before they run, and the script that `sbatch` reads. */
const WATCHED = ["sbatch", "squeue", "scontrol", "scancel", "sacct", "sinfo", "ssh"];

/**
 * Proves that it has the value without showing it, says which processes of the node show it on their
 * command lines, and keeps the script that the scheduler has of its job.
 */
const program = `printf %s "$TOKEN" | sha256sum >proof
printf '%s\\n' "\${TOKEN##* }" | grep -lFf - /proc/[0-9]*/cmdline >shown 2>/dev/null
SLURM_CONF=@CONF@ scontrol write batch_script "$SLURM_JOB_ID" - >script
`;

systemSuite(["slurm", "sshd"], "a secret", () => {
  let cluster: Cluster;
  let folder: string;
  let root: string;
  beforeAll(async () => {
    cluster = await startCluster({ SSHD: 1 });
  });
  afterAll(() => cluster?.stop());

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "flow-secret-"));
    root = join(folder, "project");
    for (const each of [root, join(folder, "bin")]) mkdirSync(each);
    for (const name of WATCHED) {
      const real = findProgram(name) ?? name;
      const calls = `'${folder}/calls'`;
      const run = name === "sbatch" ? `tee -a ${calls} | '${real}' "$@"` : `exec '${real}' "$@"`;
      // One write a call: flow runs several commands at a time.
      const script = `#!/bin/sh\nprintf '%s\\n' "${name} $(printf '%s ' "$@")" >>${calls}\n${run}\n`;
      writeFileSync(join(folder, "bin", name), script);
      chmodSync(join(folder, "bin", name), 0o755);
    }
    writeFileSync(join(folder, "ssh_config"), cluster.sshConfig("login"));
  });
  // A pilot may still be leaving.
  afterEach(() => rmSync(folder, { recursive: true, force: true, maxRetries: 20 }));

  const read = (name: string) => readFileSync(join(root, name), "utf8");
  const options = {
    "jobs of their own": "",
    pilots: "mode: pilot, pilot_idle: 1s, ",
    "flow's own SSH client": "host: login, ssh_config: ../ssh_config, ",
    "the person's `ssh`": "host: login, ssh_config: ../ssh_config, transport: openssh, ",
    "pilots over SSH": "host: login, ssh_config: ../ssh_config, mode: pilot, pilot_idle: 1s, ",
  };

  it.each(Object.entries(options))("%s: only the program sees its value", (_, more) => {
    writeFileSync(
      join(root, "work.sh"),
      program.replace("@CONF@", cluster.env["SLURM_CONF"] ?? ""),
    );
    writeFileSync(join(root, ".env"), `TOKEN=${VALUE}\n`);
    writeFileSync(
      join(root, "flow.yaml"),
      `version: 1
dotenv: .env
secrets: TOKEN
backends:
  cluster: {type: slurm, ${more.replace("..", folder)}poll: 200ms}
tasks:
  work: {backend: cluster, targets: [proof, shown, script], actions: ["sh work.sh"]}
`,
    );
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, "run"], {
      cwd: root,
      env: { ...cluster.env, PATH: `${folder}/bin${delimiter}${process.env["PATH"] ?? ""}` },
      encoding: "utf8",
      timeout: 250_000,
    });
    expect(status, stdout + stderr).toBe(0);
    expect(read("proof").slice(0, 64)).toBe(createHash("sha256").update(VALUE).digest("hex"));
    expect(read("shown")).toBe("");
    expect(read("script")).toMatch(/^#!\/bin\/sh\nexec 'sh' /);
    expect(read("script")).not.toContain(CORE);
    if (more.includes("openssh") || !more.includes("host"))
      expect(readFileSync(join(folder, "calls"), "utf8")).toMatch(/sbatch|ssh/);
    const grep = spawnSync("grep", ["-rlF", "--", CORE, folder], { encoding: "utf8" });
    expect(grep.stdout).toBe(`${join(root, ".env")}\n`);
  });
});
