// Finds the commands of a job script by running it with python and its launchers replaced: loops,
// variables and `cd` mean what they mean in the shell, and nothing of the program is started.

import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { err, ok, type Result } from "@flow/core";
import type { Io } from "../io.ts";
import { writePrelude } from "./prelude.ts";

/** A command line of the script. */
export interface ScriptCommand {
  readonly argv: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  /** Variables that the script has exported or changed. */
  readonly env: Readonly<Record<string, string>>;
}

/** The commands in the order in which the script came to them; or why the script did not end well. */
export async function findCommands(
  script: string,
  args: readonly string[],
  cwd: string,
  io: Io,
): Promise<Result<readonly ScriptCommand[], string>> {
  const folder = mkdtempSync(join(tmpdir(), "flow-sub-"));
  try {
    const { main, records, shims } = writePrelude(folder);
    const own = { FLOW_SUB_RECORD: records, FLOW_SUB_SHIMS: shims };
    const env = { ...io.env, ...own, PATH: `${shims}:${io.env["PATH"] ?? ""}` };
    const ended = await run(["bash", "--norc", main, script, ...args], cwd, env, io);
    if (!ended.ok) return ended;
    const names = readdirSync(records)
      .filter((name) => !name.endsWith(".tmp"))
      .sort();
    return ok(names.map((name) => parse(readFileSync(join(records, name), "utf8"), io.env, shims)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(
  [program = "", ...args]: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
  io: Io,
): Promise<Result<undefined, string>> {
  return new Promise((done) => {
    const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    const release = io.onSignal((signal) => child.kill(signal));
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data: Buffer) => io.stderr.write(data));
    }
    child.once("error", (error) => {
      release();
      done(err(`bash cannot be started: ${error.message}`));
    });
    child.once("close", (code, signal) => {
      release();
      done(code === 0 ? ok(undefined) : err(`it ended with ${signal ?? `code ${code ?? "?"}`}`));
    });
  });
}

/** What belongs to the shell and to this search, not to the job. */
const OWN = /^(?:_|PWD|OLDPWD|SHLVL|FLOW_SUB_\w+|BASH_FUNC_.*)$/;

function parse(
  text: string,
  before: Readonly<Record<string, string | undefined>>,
  shims: string,
): ScriptCommand {
  const [cwd = "", count = "0", ...rest] = text.split("\0");
  const argv = rest.slice(0, Number(count));
  const env: Record<string, string> = {};
  for (const entry of rest.slice(argv.length)) {
    const equals = entry.indexOf("=");
    const name = entry.slice(0, equals);
    if (equals < 1 || OWN.test(name)) continue;
    const value = entry.slice(equals + 1);
    const plain = name === "PATH" ? value.replaceAll(`${shims}:`, "") : value;
    if (plain !== before[name]) env[name] = plain;
  }
  return { argv, cwd, env };
}
