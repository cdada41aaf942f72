/** The way to the cluster, through an `ssh` that runs on this machine what it is told to run elsewhere. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { backendName, nodeClock, silentLog } from "@flow/core";
import { afterEach, beforeEach, expect, it } from "vitest";
import { backend } from "../src/index.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "flow-arrive-"));
  mkdirSync(join(root, "bin"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(program: string, text: string): void {
  writeFileSync(join(root, "bin", program), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}

/** Opens the backend; what it says, and whether the connection was given up. */
async function open(folder: string) {
  put(
    "ssh",
    `for last; do :; done
case " $* " in *" -O exit "*) : >'${root}/left'; exit ;; esac
echo "Welcome, it is Tuesday"; echo "setlocale: cannot change locale" >&2
exec sh -c "$last"`,
  );
  const options = backend.parseOptions({ host: "login", transport: "openssh", folder });
  if (!options.ok) throw new Error(JSON.stringify(options.error));
  const env = { PATH: `${join(root, "bin")}${delimiter}${process.env["PATH"]}` };
  const opened = await backend.open({
    name: backendName("cluster"),
    options: options.value,
    root,
    stateDirectory: join(root, ".flow"),
    ports: { clock: nodeClock, log: silentLog, env },
  });
  const left = () => {
    try {
      return readFileSync(join(root, "left"), "utf8") === "";
    } catch {
      return false;
    }
  };
  return { opened, left };
}

it("is given up where there is no scheduler, or no folder can be made", async () => {
  put("sbatch", "echo 'sbatch: no such cluster' >&2; exit 1");
  const missing = await open(join(root, "there"));
  expect(missing.opened).toEqual({
    ok: false,
    error: "`sbatch --version` cannot be run on login: sbatch: no such cluster.",
  });
  expect(missing.left()).toBe(true);
  rmSync(join(root, "left"));
  put("sbatch", "echo slurm 22.05.8");
  writeFileSync(join(root, "file"), "");
  const closed = await open(join(root, "file/there"));
  expect(closed.opened).toMatchObject({
    ok: false,
    error: expect.stringMatching(
      /^the folder \S+\/file\/there\/\S+ cannot be made on the cluster: mkdir: /,
    ),
  });
  expect(closed.left()).toBe(true);
});

it("is found through a shell that has much to say", async () => {
  put("sbatch", "echo slurm 22.05.8");
  const { opened, left } = await open(join(root, "there"));
  expect(opened).toMatchObject({ ok: true });
  if (opened.ok) await opened.value[Symbol.asyncDispose]();
  expect(left()).toBe(true);
});
