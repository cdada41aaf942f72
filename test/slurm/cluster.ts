/** Real SLURM clusters for tests: started and stopped by `cluster.sh`, several side by side. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("cluster.sh", import.meta.url));

/** The ports of one cluster, from its first. */
const PORTS = 100;

export interface Cluster {
  readonly directory: string;
  /** The environment in which SLURM's commands speak to this cluster. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** First port; sshd listens on the 22nd after it. */
  readonly port: number;
  /** What a person writes into an SSH configuration to reach the cluster's sshd under these names. */
  sshConfig(...names: readonly string[]): string;
  /** Runs a command of SLURM and returns what it prints. */
  run(program: string, ...args: readonly string[]): string;
  /** kill -9 of a daemon: `slurmctld`, `sshd`, `n1`, … */
  kill(daemon: string): void;
  /** Ends a daemon in order. */
  halt(daemon: string): void;
  begin(daemon: string): void;
  stop(): void;
}

/** Starts a cluster; `settings` are those of `cluster.sh`. */
export async function startCluster(
  settings: Readonly<Record<string, string | number>> = {},
): Promise<Cluster> {
  const directory = mkdtempSync(join(tmpdir(), "flow-slurm-"));
  const port = await freePorts();
  const call = (...args: readonly string[]) => {
    const { status, stderr } = spawnSync(script, args, {
      env: { ...process.env, PORT: String(port), ...texts(settings) },
      encoding: "utf8",
      stdio: ["ignore", "ignore", "pipe"],
    });
    if (status !== 0) throw new Error(`cluster.sh ${args.join(" ")}: ${stderr}`);
  };
  const env = { ...process.env, SLURM_CONF: join(directory, "conf/slurm.conf") };
  try {
    call("start", directory);
  } catch (error) {
    const logs = spawnSync("tail", ["-n", "5", "--", join(directory, "log/slurmctld.log")]);
    spawnSync(script, ["stop", directory]);
    rmSync(portMark(port), { recursive: true, force: true });
    throw new Error(`${String(error)}\n${String(logs.stdout)}`);
  }
  return {
    directory,
    env,
    port,
    sshConfig: (...names) => `Host ${names.join(" ")}
  HostName 127.0.0.1
  Port ${port + 22}
  IdentityFile ${directory}/sshd/client_key
  IdentitiesOnly yes
  UserKnownHostsFile ${directory}/sshd/known_hosts
  GlobalKnownHostsFile none
`,
    run: (program, ...args) => execFileSync(program, args, { env, encoding: "utf8" }),
    kill: (daemon) => call("kill", directory, daemon),
    halt: (daemon) => call("halt", directory, daemon),
    begin: (daemon) => call("begin", directory, daemon),
    stop() {
      call("stop", directory);
      // What the daemons leave behind may still be writing there.
      rmSync(directory, { recursive: true, force: true, maxRetries: 20 });
      rmSync(portMark(port), { recursive: true, force: true });
    },
  };
}

const texts = (settings: Readonly<Record<string, string | number>>): Record<string, string> =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, String(value)]));

const portMark = (first: number): string => join(tmpdir(), `flow-slurm-ports-${first}`);

/** The first of a row of ports below those that the system gives out by itself. */
async function freePorts(): Promise<number> {
  const [lowest] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split("\t");
  const rows = Math.floor((Number(lowest) - 10_000) / PORTS);
  for (let tries = 0; tries < 50; tries++) {
    const first = 10_000 + Math.floor(Math.random() * rows) * PORTS;
    const wanted = [0, 1, 2, 3, 4, 22, 90, 91].map((offset) => first + offset);
    if (!(await Promise.all(wanted.map(isFree))).every(Boolean)) continue;
    try {
      // Another cluster that starts at this moment does not listen yet.
      mkdirSync(portMark(first));
      return first;
    } catch {
      // It has this row.
    }
  }
  throw new Error("found no row of free ports");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once("error", () => resolve(false))
      .listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
