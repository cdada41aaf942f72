/** Jobs submitted on a login node over SSH: a real sshd, the person's own configuration, cut connections. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { backend } from "@flow/backend-slurm";
import { backendName, nodeClock, silentLog } from "@flow/core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { systemSuite } from "../rig/system.ts";
import { type JobBench, openBench } from "./bench.ts";
import { type Cluster, startCluster } from "./cluster.ts";

systemSuite(["slurm", "sshd"], "over SSH", () => {
  let cluster: Cluster;
  let bench: JobBench | undefined;
  let config: string;
  beforeAll(async () => {
    cluster = await startCluster({ SSHD: 1 });
    config = join(cluster.directory, "ssh_config");
    writeFileSync(config, `${cluster.sshConfig("login", "far")}Host far\n  ProxyJump login\n`);
  });
  afterEach(async () => {
    await bench?.[Symbol.asyncDispose]();
    bench = undefined;
  });
  afterAll(() => cluster?.stop());

  const logins = () =>
    readFileSync(join(cluster.directory, "log/sshd.out"), "utf8").split("Accepted publickey")
      .length;

  for (const transport of ["ssh2", "openssh"])
    it(`a job runs through ${transport}, over one connection`, async () => {
      bench = await openBench(cluster, { host: "login", ssh_config: config, transport });
      const before = logins();
      const job = bench.job(`it="isn't"; echo "$it $FLOW_JOB_ID"`);
      await bench.submit(job);
      expect((await bench.ended(job)).code).toBe(0);
      expect(bench.output(job)).toBe(`isn't ${bench.id(job)}\n`);
      expect(logins() - before).toBe(0);
    });

  it("a jump host is gone through", async () => {
    const before = logins();
    bench = await openBench(cluster, { host: "far", ssh_config: config });
    expect(logins() - before).toBe(2);
    const job = bench.job("exit 3");
    await bench.submit(job);
    expect((await bench.ended(job)).code).toBe(3);
  });

  const refusal = async (options: Readonly<Record<string, unknown>>) => {
    const parsed = backend.parseOptions({ host: "login", ...options });
    if (!parsed.ok) throw new Error("the options are not right");
    const opened = await backend.open({
      name: backendName("cluster"),
      options: parsed.value,
      root: cluster.directory,
      stateDirectory: cluster.directory,
      ports: { clock: nodeClock, log: silentLog, env: process.env },
    });
    return opened.ok ? "opened" : opened.error;
  };
  const altered = (name: string, from: string, to: string): string => {
    const file = join(cluster.directory, name);
    writeFileSync(file, readFileSync(config, "utf8").replace(from, to));
    return file;
  };

  it("a host that is not known, or is known by another key, is not spoken to", async () => {
    const before = logins();
    const place = `${cluster.directory}/sshd/known_hosts`;
    const unknown = altered("ssh_config_unknown", place, "/dev/null");
    expect(await refusal({ ssh_config: unknown })).toBe(
      "`sbatch --version` cannot be run on login: the host key of 127.0.0.1 is not in known_hosts: connect once with `ssh` and check it.",
    );
    const client = readFileSync(join(cluster.directory, "sshd/client_key.pub"), "utf8");
    const [type, key] = client.split(" ");
    const other = join(cluster.directory, "other_hosts");
    writeFileSync(other, `[127.0.0.1]:${cluster.port + 22} ${type} ${key}\n`);
    const wrong = altered("ssh_config_wrong", place, other);
    expect(await refusal({ ssh_config: wrong })).toContain(
      "its host key is not the one in known_hosts",
    );
    expect(logins()).toBe(before);
  });

  it("a connection that is cut makes a job unknown, and it is found again", async () => {
    bench = await openBench(cluster, { host: "login", ssh_config: config });
    const job = bench.job(
      `echo start >>"$CKPT/starts"; until [ -e "$CKPT/go" ]; do sleep 0.05; done`,
    );
    await bench.submit(job);
    await bench.seen(job, "running");
    const pid = readFileSync(join(cluster.directory, "run/sshd.pid"), "utf8").trim();
    cluster.run("sh", "-c", `pkill -KILL -P ${pid}; kill -KILL ${pid}`);
    await bench.seen(job, "unknown");
    cluster.begin("sshd");
    await bench.seen(job, "running");
    writeFileSync(`${job.paths.checkpoint}/go`, "");
    expect((await bench.ended(job)).code).toBe(0);
    expect(readFileSync(`${job.paths.checkpoint}/starts`, "utf8")).toBe("start\n");
  });
});
