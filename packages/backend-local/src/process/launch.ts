// Starting the shell of one attempt directly: a session of its own, nothing inherited but the
// environment, output opened by the shell itself, so that it outlives flow.

import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { accessSync, constants, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type BackendFailure, err, type Job, ok, type Result } from "@flow/core";
import type { ProcessTable } from "./table.ts";
import { type AttemptSpec, aloneScript, MAX_ARGUMENT } from "./wrapper.ts";

/** How the shell of an attempt ended, as its parent saw it. */
export interface LeaderExit {
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** The result it told beside writing it; absent when it tells none. */
  readonly result: string | undefined;
  readonly cpuSeconds: number | undefined;
}

/** The started shell of an attempt. */
export interface Leader {
  readonly pid: number;
  readonly start: string;
  /** It lives on after the attempt, for the next one. */
  readonly goesOn: boolean;
  /** The attempt starts no program: there is nothing to watch, and nothing is left behind. */
  readonly startsNothing: boolean;
  /** Lets flow end before the attempt does. */
  release(): void;
  /** The attempt is over and what it left behind is gone. */
  done(): void;
}

/** Exit status of a shell that found the attempt claimed. */
export const LOST_CLAIM = 97;
/** Exit status of a shell that could not write its claim. */
export const TORN_CLAIM = 98;

/** Stands for the end of a shell that could not even be started. */
export const UNSTARTED: LeaderExit = {
  code: undefined,
  signal: undefined,
  result: undefined,
  cpuSeconds: undefined,
};

/** Descriptors of flow that the attempt's processes get, beside standard input and output. */
export type Descriptors = Readonly<Record<number, number>>;

const RETRY_MS = 250;

/** Failures of a system that is full for the moment; they are never a task's result. */
const PASSING: ReadonlySet<string> = new Set([
  "EMFILE",
  "ENFILE",
  "EAGAIN",
  "ENOMEM",
  "ENOSPC",
  "EDQUOT",
]);

/** Starts an attempt's own shell; `ended` is called once, when it has ended. */
export async function launch(
  spec: AttemptSpec,
  env: NodeJS.ProcessEnv,
  descriptors: Descriptors,
  table: ProcessTable,
  ended: (exit: LeaderExit) => void,
): Promise<Result<Leader, BackendFailure>> {
  const interactive = spec.job.interactive;
  const standard = interactive ? "inherit" : "ignore";
  const stdio: StdioOptions = [standard, standard, standard];
  for (const [at, descriptor] of Object.entries(descriptors)) stdio[Number(at)] = descriptor;
  for (let at = 0; at < stdio.length; at++) stdio[at] ??= "ignore";
  let child: ChildProcess;
  try {
    child = spawn("/bin/sh", shellArguments(spec), {
      cwd: "/",
      env,
      stdio,
      detached: !interactive,
    });
  } catch (error) {
    return err(spawnFailure(error));
  }
  if (child.pid === undefined)
    return err(spawnFailure(await new Promise((resolve) => child.once("error", resolve))));
  child.once("exit", (code, signal) =>
    ended({
      code: code ?? undefined,
      signal: signal ?? undefined,
      result: undefined,
      cpuSeconds: undefined,
    }),
  );
  const start = table.read(child.pid)?.start ?? "";
  return ok({
    pid: child.pid,
    start,
    goesOn: false,
    startsNothing: false,
    release: () => child.unref(),
    done: () => {},
  });
}

function shellArguments(spec: AttemptSpec): readonly string[] {
  const script = aloneScript(spec);
  if (Buffer.byteLength(script) <= MAX_ARGUMENT) return ["-c", script, "sh"];
  const path = join(spec.files.directory, "wrapper.sh");
  writeFileSync(path, script, { mode: 0o600 });
  return [path];
}

/** What a failed start means to the engine. */
export function spawnFailure(error: unknown): BackendFailure {
  const { code, message, syscall } = error as NodeJS.ErrnoException;
  if (code !== undefined && PASSING.has(code))
    return {
      type: "unavailable",
      message: `This machine cannot start another process now (${code}).`,
      retryAfterMs: RETRY_MS,
    };
  if (code === "ENOENT" && syscall?.startsWith("spawn") === true)
    return {
      type: "misconfigured",
      message: "`/bin/sh` was not found; install a POSIX shell there.",
    };
  return { type: "rejected", message: `The attempt could not be started: ${message}` };
}

/** The shell among a job's programs that PATH does not have; undefined when all are there. */
export function missingShell(
  job: Pick<Job, "actions" | "finally" | "env">,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  for (const action of [...job.actions, ...job.finally]) {
    const [program] = action.argv;
    if (program !== "sh" && program !== "bash") continue;
    const path = action.env["PATH"] ?? job.env["PATH"] ?? env["PATH"] ?? "";
    if (!isOnPath(program, path)) return program;
  }
  return undefined;
}

const lookups = new Map<string, boolean>();

function isOnPath(program: string, path: string): boolean {
  const key = `${program}\0${path}`;
  let found = lookups.get(key);
  if (found === undefined) {
    found = path.split(delimiter).some((directory) => isExecutable(join(directory, program)));
    lookups.set(key, found);
  }
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
