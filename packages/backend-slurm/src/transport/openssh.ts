// Commands on a login node through the person's own `ssh`: for certificates, second factors, security
// keys and whatever else only that knows. All commands share one connection by a control socket.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeHere, runHere } from "./exec.ts";
import { bytesSinceBegin, inDirectory, shellText, sinceBegin } from "./remote-shell.ts";
import { type SshOptions, sshArguments } from "./ssh-config.ts";
import type { CommandResult, Transport } from "./transport.ts";

/** What `ssh` itself ends with when it has lost or never had the connection. */
const NO_CONNECTION = 255;

const answered = <Result extends Omit<CommandResult, "stdout">>(result: Result): Result => ({
  ...result,
  code: result.code === NO_CONNECTION ? undefined : result.code,
  stderr: sinceBegin(result.stderr),
});

/** Commands run in `cwd`, which is the same there as here. */
export function opensshTransport(
  options: SshOptions,
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): Transport {
  // A socket's path may have 107 bytes at most, so it cannot lie in the project.
  const folder = mkdtempSync(join(tmpdir(), "flow-ssh-"));
  const ssh = [
    "ssh",
    ...sshArguments(options),
    ...["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"],
    ...["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3"],
    ...["-o", "ControlMaster=auto", "-o", `ControlPath=${folder}/%C`, "-o", "ControlPersist=600"],
  ];
  const here = { cwd: "/", env };
  return {
    async run(argv, input, more = {}) {
      const text = shellText(argv, input, { cwd, env: more });
      const result = await runHere([...ssh, options.host, "exec sh -s"], text, here);
      const stdout = sinceBegin(result.stdout);
      return { ...answered(result), stdout };
    },
    async pipe(script, input, output) {
      const there = inDirectory(cwd, script, input);
      const argv = [...ssh, options.host, there.command];
      return answered(await pipeHere(argv, there.input, bytesSinceBegin(output), here));
    },
    async [Symbol.asyncDispose]() {
      await runHere([...ssh, "-O", "exit", options.host], "", here);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
