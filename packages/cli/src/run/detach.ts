// `--detach`: the same command line as a process of its own session, its output in the run's folder.

import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { layout, newRunId } from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";

/** Tells the background process which run it is. */
export const DETACHED_RUN = "FLOW_DETACHED_RUN";

/** How long the beginning of the run is waited for, and how often it is looked at. */
const WAIT_MS = 10_000;
const LOOK_MS = 20;

/** Starts this very command line in the background; returns when it has begun or ended. */
export async function detach(root: string, io: Io): Promise<ExitCode> {
  const run = newRunId(Date.now());
  const { state, run: folderOf, journal } = layout(root);
  if (!existsSync(state)) mkdirSync(state, { mode: 0o700 });
  mkdirSync(folderOf(run), { recursive: true });
  const log = `${folderOf(run)}/flow.log`;
  const output = openSync(log, "a", 0o600);
  const args = process.argv.slice(1).filter((argument) => argument !== "--detach");
  const child = spawn(process.execPath, args, {
    cwd: io.cwd,
    detached: true,
    stdio: ["ignore", output, output],
    env: { ...io.env, [DETACHED_RUN]: run, FLOW_OUTPUT: "plain" },
  });
  closeSync(output);
  const ended = new Promise<number>((resolve) => {
    child.once("exit", (code) => resolve(code ?? EXIT.internal));
    child.once("error", () => resolve(EXIT.internal));
  });
  const code = await Promise.race([ended, begun(journal(run))]);
  child.unref();
  if (code === undefined) {
    io.stderr.write(`run ${run} goes on in the background (pid ${child.pid})\n`);
    io.stderr.write(`  follow it with   flow attach ${run}\n  its output       ${log}\n`);
    io.stdout.write(`${run}\n`);
    return EXIT.ok;
  }
  io.stderr.write(readFileSync(log));
  return code as ExitCode;
}

/** Resolves once the run has started something, or after a while. */
async function begun(journal: string): Promise<undefined> {
  const until = performance.now() + WAIT_MS;
  while (performance.now() < until && !existsSync(journal)) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
