// The last resort: an exception that reached the command line.

import { EXIT, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";

/** Errors of the system that say what is wrong with flow's own files, in words. */
const SYSTEM: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EACCES: "permission was denied",
  EPERM: "the operation is not permitted",
  EIO: "the disk reported an error",
  EMFILE: "too many files are open in this process",
  ENFILE: "too many files are open on this machine",
  ENOMEM: "memory ran out",
};

/** Says what happened: one sentence for trouble of the system, the stack for a bug. */
export function reportCrash(error: unknown, io: Io): ExitCode {
  const { code, path, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  const known = code === undefined ? undefined : SYSTEM[code];
  if (known !== undefined) {
    const where = path === undefined ? "" : ` at ${path}`;
    io.stderr.write(
      `flow: ${known} (${code}${syscall === undefined ? "" : `, ${syscall}`})${where}.\n`,
    );
    return EXIT.internal;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  io.stderr.write(`flow: internal error, please report it with these lines:\n${stack}\n`);
  return EXIT.internal;
}
