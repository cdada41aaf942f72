// Commands on this machine.

import { spawn } from "node:child_process";
import { COMMAND_TIMEOUT_MS, type CommandResult, type Transport } from "./transport.ts";

/** Runs commands in `cwd` with this environment. */
export function execTransport(
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): Transport {
  return {
    run: (argv, input, more) => runHere(argv, input, { cwd, env: { ...env, ...more } }),
    [Symbol.asyncDispose]: async () => {},
  };
}

export interface Place {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export function runHere(
  argv: readonly string[],
  input: string,
  place: Place,
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const [program = "", ...args] = argv;
    let stdout = "";
    let stderr = "";
    const child = spawn(program, args, {
      ...place,
      stdio: "pipe",
      timeout: COMMAND_TIMEOUT_MS,
      killSignal: "SIGKILL",
    });
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    child.on("error", (error) => {
      resolve({ code: undefined, stdout, stderr: `${stderr}${error.message}` });
    });
    child.on("close", (code) => {
      resolve({ code: code ?? undefined, stdout, stderr });
    });
    // A command that ends without reading its input is no trouble of ours.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}
