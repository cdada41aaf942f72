// Errors of the operating system about flow's own files, in words.

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  EACCES: "permission was denied",
  EPERM: "the operation is not permitted",
  EIO: "the disk reported an error",
  EMFILE: "too many files are open in this process",
  ENFILE: "too many files are open on this machine",
  ENOMEM: "memory ran out",
  ENOTDIR: "a file is in the way where a folder has to be; move it away",
  EEXIST: "a file is in the way where a folder has to be; move it away",
  EISDIR: "a folder is in the way where a file has to be; move it away",
};

const OWN_GONE = "flow's own folder, or a part of it, was removed while it was in use";

/** `the disk is full (ENOSPC, write) at /p/.flow/traces`; undefined: no error of the system, or an unexpected one. */
export function describeSystemError(error: unknown): string | undefined {
  const { code, path, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  const isOwnGone = code === "ENOENT" && /\/\.flow(?:\/|$)/.test(path ?? "");
  const words = isOwnGone ? OWN_GONE : code === undefined ? undefined : WORDS[code];
  if (words === undefined) return undefined;
  const where = path === undefined ? "" : ` at ${path}`;
  return `${words} (${code}${syscall === undefined ? "" : `, ${syscall}`})${where}`;
}

/** {@link describeSystemError}, else what the error itself says. */
export const troubleOf = (error: unknown): string =>
  describeSystemError(error) ?? (error instanceof Error ? error.message : String(error));

const UNREADABLE: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  ENOTDIR: "a part of its path is a file",
  EISDIR: "it is a folder",
  EACCES: "permission was denied",
  EPERM: "permission was denied",
};

/** Why a file that a person names cannot be read, without a full stop. */
export function whyUnreadable(error: unknown): string {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  return (code === undefined ? undefined : UNREADABLE[code]) ?? troubleOf(error);
}
