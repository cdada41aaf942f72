// Runs the small commands that decide about freshness: `track: {cmd}` and `fresh:`.

import { execFile } from "node:child_process";
import { join } from "node:path";
import type { CheckCommand, CheckResult } from "../trace/inputs.ts";

/** Output beyond this is no version string; the command is stopped. */
const MOST_OUTPUT_BYTES = 1 << 20;

const TIMEOUT_MS = 60_000;

const SHELLS = { sh: ["sh", "-e", "-c"], bash: ["bash", "-eo", "pipefail", "-c"] } as const;

/** Answers when the command has ended; never rejects. */
export function runCheckCommand(root: string, command: CheckCommand): Promise<CheckResult> {
  const [program, ...options] = SHELLS[command.shell];
  return new Promise((resolve) => {
    execFile(
      program,
      [...options, command.text],
      {
        cwd: join(root, command.cwd),
        env: { ...process.env, ...command.env },
        timeout: TIMEOUT_MS,
        maxBuffer: MOST_OUTPUT_BYTES,
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        const exited = typeof code === "number";
        const said = stderr.trim().split("\n").at(-1) ?? "";
        const message = error === null ? "" : exited ? said : error.message;
        resolve({ code: exited ? code : undefined, stdout, message });
      },
    );
  });
}
