// Commands on this machine.

import { spawn } from "node:child_process";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { COMMAND_TIMEOUT_MS, type CommandResult, type Transport } from "./transport.ts";

/** Runs commands in `cwd` with this environment. */
export function execTransport(
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): Transport {
  return {
    run: (argv, input, more) => runHere(argv, input, { cwd, env: { ...env, ...more } }),
    pipe: (script, input, output) => pipeHere(["sh", "-c", script], input, output, { cwd, env }),
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

/** Feeds a command and hands on what it prints, however long that takes. */
export function pipeHere(
  argv: readonly string[],
  input: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  output: (chunk: Buffer) => void,
  place: Place,
): ReturnType<Transport["pipe"]> {
  return new Promise((resolve) => {
    const [program = "", ...args] = argv;
    let stderr = "";
    const child = spawn(program, args, { ...place, stdio: "pipe" });
    child.stdout.on("data", output);
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      stderr += chunk;
    });
    child.on("error", (error) => resolve({ code: undefined, stderr: error.message }));
    child.on("close", (code) => resolve({ code: code ?? undefined, stderr }));
    // Input that cannot be read to its end must not look like one that was.
    pipeline(Readable.from(input), child.stdin).catch((error: Error) => {
      stderr ||= error.message;
      child.kill("SIGKILL");
    });
  });
}
