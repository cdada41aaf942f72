/** `node.sh` under the shells that a node may have as its `sh`, with a curl that only answers. */
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
      limit_s: "60",
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
  async run(): Promise<number | null> {
    const env = { PATH: `${this.dir}/bin:${process.env["PATH"]}` };
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
