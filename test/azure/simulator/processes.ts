/**
 * Runs one command line on a node: a process group of its own whose output goes to `stdout.txt` and
 * `stderr.txt` of its directory, with the environment of a node and nothing else.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import type { FailureInfo, Run } from "./account.ts";
import { splitCommandLine } from "./command-line.ts";

export interface Command {
  readonly line: string;
  /** Absolute; gets `wd`, `stdout.txt` and `stderr.txt`. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  /** Names of the two output files. */
  readonly outputs?: readonly [string, string];
  /** The working directory; `wd` of the directory unless said. */
  readonly workingDirectory?: string;
}

export interface Exit {
  /** Absent where the process never started or was killed from outside. */
  readonly exitCode?: number;
  readonly failureInfo?: FailureInfo;
}

/** Starts a command; `ended` resolves once its first process is gone, and never rejects. */
export function runCommand(command: Command): Run & { readonly ended: Promise<Exit> } {
  const working = command.workingDirectory ?? join(command.directory, "wd");
  mkdirSync(working, { recursive: true });
  const [out, err] = command.outputs ?? ["stdout.txt", "stderr.txt"];
  const stdout = openSync(join(command.directory, out), "w");
  const stderr = openSync(join(command.directory, err), "w");
  try {
    return start(command, working, stdout, stderr);
  } catch (error) {
    return { kill: () => undefined, ended: Promise.resolve({ failureInfo: launchFailure(error) }) };
  } finally {
    closeSync(stdout);
    closeSync(stderr);
  }
}

function start(
  command: Command,
  cwd: string,
  stdout: number,
  stderr: number,
): Run & { readonly ended: Promise<Exit> } {
  const [program, ...args] = splitCommandLine(command.line);
  if (program === undefined) throw new SyntaxError("the command line is empty");
  const child = spawn(program, args, {
    cwd,
    env: command.env,
    detached: true,
    stdio: ["ignore", stdout, stderr],
  });
  const kill = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
  };
  const ended = new Promise<Exit>((resolve) => {
    child.once("error", (error) => resolve({ failureInfo: launchFailure(error) }));
    child.once("exit", (code, signal) => {
      kill(); // What the command left in its group ends with it.
      resolve(conclude(code, signal));
    });
  });
  return { kill, ended };
}

function conclude(code: number | null, signal: NodeJS.Signals | null): Exit {
  const exitCode = code ?? 128 + (SIGNALS[signal ?? "SIGKILL"] ?? 9);
  if (exitCode === 0) return { exitCode };
  return {
    exitCode,
    failureInfo: {
      category: "UserError",
      code: "FailureExitCode",
      message: "The task exited with an exit code representing a failure",
      details: [
        { name: "Message", value: "The task process exited with an unexpected exit code" },
        { name: "AdditionalErrorCode", value: "FailureExitCode" },
      ],
    },
  };
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

function launchFailure(error: unknown): FailureInfo {
  const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
  return {
    category: "UserError",
    code: isMissing ? "CommandProgramNotFound" : "CommandLaunchFailed",
    message: isMissing
      ? "The specified command program is not found"
      : "There was an error launching the specified command",
    details: [{ name: "Message", value: error instanceof Error ? error.message : String(error) }],
  };
}
