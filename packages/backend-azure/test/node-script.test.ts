/** `node.sh` under the shells that a node may have as its `sh`, with a curl that only answers. */
import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { flowRunnerPath, shellSpec } from "@flow/task-py";
import { expect, it } from "vitest";
import { systemSuite } from "../../../test/rig/system.ts";

const nodeScript = fileURLToPath(new URL("../node/node.sh", import.meta.url));

const SHELLS: readonly (readonly [name: string, command: string])[] = [
  ["dash", "exec dash"],
  ["bash", "exec bash --posix"],
  ["busybox", "exec busybox ash"],
];

/** Storage with room for a claim and without a stop request. */
const CURL = `#!/bin/sh
cat >/dev/null
case " $* " in *" -T "*) printf 201 ;; *) printf 404 ;; esac
`;

/** The same with an archive for each link that ends in its path. */
const CURL_WITH_FILES = `#!/bin/sh
read -r line; url=\${line#url = \\"}; file=\${url%\\"}
case " $* " in *" -T "*) printf 201 && exit ;; esac
[ -e "$file" ] || { printf 404; exit; }
while [ "$1" != -o ]; do shift; done
echo "$file" >>"$FETCHED"
cp "$file" "$2" && printf 200
`;

/** A task's working directory as the service lays it out, for one program; disposing removes it. */
class TaskDirectory implements Disposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), "flow-node-"));
  readonly link: string = `${this.dir}.link`;
  readonly key: string = this.dir.slice(-6);

  constructor(shell: string, program: string) {
    for (const folder of ["attempt", "support", "bin"]) mkdirSync(join(this.dir, folder));
    copyFileSync(nodeScript, join(this.dir, "support/node.sh"));
    copyFileSync(flowRunnerPath, join(this.dir, "support/flow-runner.sh"));
    const { key } = this;
    this.write(
      "attempt/spec.sh",
      shellSpec({ version: 1, key, actions: [{ argv: ["sh", "-c", program] }] }),
    );
    this.write("attempt/outputs", "");
    const settings = {
      link: this.link,
      claim_url: "http://claim",
      stop_url: "http://stop",
      stop_s: "0.1",
      save_every: "1",
      limit_s: "3600",
    };
    const empty = ["state_url", "state_mount", "fresh", "processes", "mounted", "stdouterr"];
    const lines = [...Object.entries(settings), ...empty.map((name) => [name, ""])];
    lines.push(["ckpt_link", ""]);
    this.write(
      "attempt/node.conf",
      lines.map(([name, value]) => `n_${name}='${value}'\n`).join(""),
    );
    this.write("bin/sh", `#!/bin/bash\n${shell} "$@"\n`, 0o755);
    this.write("bin/curl", CURL, 0o755);
  }

  write(name: string, text: string, mode = 0o600): void {
    writeFileSync(join(this.dir, name), text, { mode });
  }

  /** Runs it to its end, with the number of its process in `NODE_PID`; gives its exit status. */
  async run(more: Readonly<Record<string, string>> = {}): Promise<number | null> {
    const env = { PATH: `${this.dir}/bin:${process.env["PATH"]}`, ...more };
    const start = "export NODE_PID=$$; exec sh support/node.sh";
    const child = spawn("/bin/sh", ["-c", start], { cwd: this.dir, env, stdio: "ignore" });
    return new Promise((resolve) => child.once("exit", resolve));
  }

  /** A file of the archive that goes back. */
  packed(name: string): string {
    const { dir: cwd } = this;
    return spawnSync("tar", ["-xzOf", "result.tar.gz", name], { cwd, encoding: "utf8" }).stdout;
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
    rmSync(this.link, { force: true });
  }
}

/** A mount that is to have the file `in/data`, and what a node knows of that; disposing removes it. */
class Share implements Disposable {
  readonly dir: string = mkdtempSync(join(tmpdir(), "flow-share-"));
  readonly original: string = join(this.dir, "original/in/data");
  readonly env: Readonly<Record<string, string>>;

  constructor() {
    for (const folder of ["original/in", "mounts/share"])
      mkdirSync(join(this.dir, folder), { recursive: true });
    this.env = {
      AZ_BATCH_NODE_MOUNTS_DIR: join(this.dir, "mounts"),
      FETCHED: join(this.dir, "fetched"),
    };
  }

  /** A task that compares what it finds on the mount with the file that it brings. */
  task(shell: string): TaskDirectory {
    const task = new TaskDirectory(shell, `cmp ${this.original} ${this.dir}/mounts/share/in/data`);
    const archive = join(this.dir, "archive.tar.gz");
    spawnSync("tar", ["-czf", archive, "-C", join(this.dir, "original"), "in/data"]);
    const digest = spawnSync("cksum", [this.original], { encoding: "utf8" }).stdout.split(" ")[0];
    task.write("attempt/deliveries", `share .mark ${digest} ${archive}\n`);
    task.write("bin/curl", CURL_WITH_FILES, 0o755);
    return task;
  }

  get fetches(): number {
    return readFileSync(join(this.dir, "fetched"), "utf8").trim().split("\n").length;
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A runner whose last act is to have its parent signalled. */
const LAST_ACT = `trap '' TERM
printf 'code=7 signal=0 stopped=- cause=- action=1 leaky=0 error=-\\n' >attempt/exit
kill -TERM $NODE_PID; kill -TERM $NODE_PID; kill -TERM $NODE_PID
exit 7
`;

/** A runner that ends without its program. */
const LEAVING = `FLOW_ATTEMPT_DIR=DIR setsid sleep 60 </dev/null >/dev/null 2>&1 &
echo $! >attempt/stdout
printf 'code=0 signal=0 stopped=- cause=- action=1 leaky=0 error=-\\n' >attempt/exit
`;

/** Zombies are not. */
const isAlive = (pid: number): boolean =>
  spawnSync("grep", ["-q", "^State:.[^ZX]", `/proc/${pid}/status`]).status === 0;

for (const [name, command] of SHELLS)
  systemSuite(name, `node.sh in ${name}`, () => {
    it("ends with the program's code and brings back what it printed", async () => {
      using task = new TaskDirectory(command, "echo done; exit 7");
      expect(await task.run()).toBe(7);
      expect(task.packed("attempt/exit")).toMatch(/^code=7 signal=0 /);
      expect(task.packed("attempt/stdout")).toBe("done\n");
    });

    it("kills what its program left behind, and nothing of an equal task", async () => {
      using task = new TaskDirectory(command, "true");
      const equal = { ...process.env, FLOW_ATTEMPT_KEY: task.key, FLOW_ATTEMPT_DIR: "/elsewhere" };
      const bystander = spawn("sleep", ["60"], { env: equal, stdio: "ignore" });
      task.write("support/flow-runner.sh", LEAVING.replace("DIR", `${task.link}/attempt`));
      expect(await task.run()).toBe(0);
      expect(isAlive(Number(task.packed("attempt/stdout")))).toBe(false);
      expect(isAlive(bystander.pid ?? 0)).toBe(true);
      bystander.kill("SIGKILL");
    });

    it("brings uploads to a mount whole, beside others who do the same, and once", async () => {
      using share = new Share();
      for (const text of ["one\n", "two\n"]) {
        writeFileSync(share.original, text.repeat(50_000));
        const tasks = Array.from({ length: 4 }, () => share.task(command));
        const codes = await Promise.all(
          tasks.map((task) => task.run({ ...share.env, AZ_BATCH_TASK_ID: task.key })),
        );
        const before = share.fetches;
        using last = share.task(command);
        codes.push(await last.run(share.env));
        expect(codes).toEqual([0, 0, 0, 0, 0]);
        expect(share.fetches).toBe(before);
        for (const task of tasks) task[Symbol.dispose]();
      }
      expect(readdirSync(join(share.dir, "mounts/share"))).toEqual([".mark", "in"]);
      expect(readdirSync(join(share.dir, "mounts/share/in"))).toEqual(["data"]);
    });

    it("ends, with the runner's own word, when signals come together with its end", async () => {
      const rounds = Array.from({ length: 24 }, async () => {
        using task = new TaskDirectory(command, "true");
        task.write("support/flow-runner.sh", LAST_ACT);
        expect(await task.run()).toBe(7);
        expect(task.packed("attempt/exit")).toMatch(/^code=7 /);
      });
      await Promise.all(rounds);
    });
  });
