// The last resort: an exception that reached the command line.

import { describeSystemError } from "@flow/core";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";

/** Says what happened: one sentence for trouble of the system, the stack for a bug. */
export function reportCrash(error: unknown, io: Io): ExitCode {
  const known = isWithoutFolder(error)
    ? "the current folder is gone; go to one that exists"
    : describeSystemError(error);
  if (known !== undefined) {
    io.stderr.write(`flow: ${known}.\n`);
    return EXIT.internal;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.stderr.write(`flow: internal error, please report it with these lines:\n${stack}\n`);
  return EXIT.internal;
}

/** Whether it is what asking for the current folder throws. */
const isWithoutFolder = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException | undefined)?.syscall === "uv_cwd";
