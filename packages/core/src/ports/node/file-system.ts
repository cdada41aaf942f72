// The real file system. Short writes and errors of the disk are dealt with here and nowhere else.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { dirname } from "node:path";
import type { Digest, DirectoryEntry, FileStat, FileSystem, WriteOptions } from "../file-system.ts";

/** Files up to this size are read and hashed in one go; larger ones in a stream. */
const SMALL_FILE_BYTES = 1 << 20;

/** What flow writes is state; it is for its owner only, whatever the umask says. */
const FILE_MODE = 0o600;

/** Most paths asked about are not there yet, and an error thrown costs more than the call. */
const QUIETLY = { bigint: true, throwIfNoEntry: false } as const;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Runs `call`. Calls on a descriptor fail without saying on what; the error is given the path. */
function naming<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw (error as NodeJS.ErrnoException).path === undefined
      ? Object.assign(error as Error, { path, message: `${(error as Error).message} '${path}'` })
      : error;
  }
}

/** The uppermost folder of a path that is not there. */
function firstMissing(path: string): string {
  const parent = dirname(path);
  return parent === path || fs.existsSync(parent) ? path : firstMissing(parent);
}

/** Runs `read`; undefined when what it looks for is not there. */
function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return undefined;
    throw error;
  }
}

function kindOf(entry: {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}): FileStat["kind"] {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  return entry.isSymbolicLink() ? "link" : "other";
}

function describe(stats: fs.BigIntStats | undefined): FileStat | undefined {
  if (stats === undefined) return undefined;
  const { mtimeNs, ctimeNs, size, ino } = stats;
  return {
    kind: kindOf(stats),
    size: Number(size),
    signature: `${mtimeNs.toString(36)}.${size.toString(36)}.${ino.toString(36)}.${ctimeNs.toString(36)}`,
    changedNs: mtimeNs > ctimeNs ? mtimeNs : ctimeNs,
    mtimeNs,
  };
}

/**
 * Writes all of `data` at the position of the descriptor, which is of `path`. Node returns short writes without an error
 * (a full disk shows only at the next call), so the loop goes on until everything is written or an
 * error is thrown.
 */
export function writeAll(descriptor: number, data: Uint8Array, path: string): void {
  naming(path, () => {
    let offset = 0;
    while (offset < data.length) {
      offset += fs.writeSync(descriptor, data, offset, data.length - offset);
    }
  });
}

function writeFile(
  path: string,
  data: string | Uint8Array | Iterable<string>,
  options: WriteOptions = {},
): boolean {
  const flags = options.exclusive === true ? "wx" : "w";
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, flags, options.mode ?? FILE_MODE);
  } catch (error) {
    if (options.exclusive === true && codeOf(error) === "EEXIST") return false;
    throw error;
  }
  try {
    if (data instanceof Uint8Array) writeAll(descriptor, data, path);
    else
      for (const piece of typeof data === "string" ? [data] : data)
        writeAll(descriptor, Buffer.from(piece), path);
    if (options.sync === true) naming(path, () => fs.fsyncSync(descriptor));
  } finally {
    fs.closeSync(descriptor);
  }
  return true;
}

function syncDirectory(path: string): void {
  const descriptor = fs.openSync(path, "r");
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Files that are synced together. */
const SYNCED_AT_ONCE = 32;

async function syncOne(path: string): Promise<void> {
  const file = await fs.promises.open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function hashFile(path: string): Promise<Digest | undefined> {
  const size = ifThere(() => fs.statSync(path).size);
  if (size === undefined) return undefined;
  if (size <= SMALL_FILE_BYTES) {
    const content = nodeFileSystem.read(path);
    return content && createHash("sha256").update(content).digest("hex");
  }
  const hash = createHash("sha256");
  try {
    for await (const chunk of fs.createReadStream(path, { highWaterMark: SMALL_FILE_BYTES })) {
      hash.update(chunk as Buffer);
    }
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  return hash.digest("hex");
}

/** True when the call did it; false when it fails with one of `codes`. */
function succeeds(call: () => void, ...codes: readonly string[]): boolean {
  try {
    call();
    return true;
  } catch (error) {
    if (codes.includes(codeOf(error) ?? "")) return false;
    throw error;
  }
}

/**
 * Gives the link `like` a second name. That costs no file of its own, which matters where files that
 * come and go are dear. Undefined when it cannot be done here, or `like` is gone.
 */
function sharedLink(path: string, like: string): boolean | undefined {
  // Elsewhere the system may follow the link instead.
  if (process.platform !== "linux") return undefined;
  try {
    return succeeds(() => fs.linkSync(like, path), "EEXIST");
  } catch {
    return undefined;
  }
}

export const nodeFileSystem: FileSystem = {
  stat: (path) => describe(ifThere(() => fs.statSync(path, QUIETLY))),
  lstat: (path) => describe(ifThere(() => fs.lstatSync(path, QUIETLY))),
  read: (path) => ifThere(() => naming(path, () => fs.readFileSync(path))),
  readPart(path, offset, length, space) {
    const descriptor = ifThere(() => fs.openSync(path, "r"));
    if (descriptor === undefined) return undefined;
    try {
      const there = Math.max(0, fs.fstatSync(descriptor).size - offset);
      const wanted = Math.min(length, there);
      const buffer = space?.subarray(0, wanted) ?? Buffer.allocUnsafe(wanted);
      if (buffer.length === 0) return buffer;
      const read = (): number => fs.readSync(descriptor, buffer, 0, buffer.length, offset);
      return buffer.subarray(0, naming(path, read));
    } finally {
      fs.closeSync(descriptor);
    }
  },
  write: writeFile,
  replace(path, data) {
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      writeFile(temporary, data, { sync: true });
      fs.renameSync(temporary, path);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    }
    syncDirectory(dirname(path));
  },
  async sync(paths) {
    // Some at a time, because a disk takes hardly longer for them than for one.
    for (let from = 0; from < paths.length; from += SYNCED_AT_ONCE) {
      await Promise.all(paths.slice(from, from + SYNCED_AT_ONCE).map(syncOne));
    }
  },
  list(path) {
    // Asked first, because a thrown ENOENT costs much more. What may not be looked at is an error.
    if (ifThere(() => fs.statSync(path, QUIETLY)) === undefined) return undefined;
    const entries = ifThere(() => fs.readdirSync(path, { withFileTypes: true }));
    return entries
      ?.map((entry): DirectoryEntry => ({ name: entry.name, kind: kindOf(entry) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  },
  makeDirectory: (path, mode) => {
    const options = { recursive: true, ...(mode === undefined ? {} : { mode }) } as const;
    try {
      return fs.mkdirSync(path, options) !== undefined;
    } catch (error) {
      // Of a read-only disk and of a link to nowhere Node says here that the folder is missing. Asked for
      // one folder alone, it says what is wrong.
      if (codeOf(error) !== "ENOENT") throw error;
      fs.mkdirSync(firstMissing(path));
      fs.mkdirSync(path, options);
      return true;
    }
  },
  rename: (from, to) => fs.renameSync(from, to),
  remove: (path) => succeeds(() => fs.unlinkSync(path), "ENOENT", "ENOTDIR"),
  removeDirectory: (path) =>
    succeeds(() => fs.rmdirSync(path), "ENOENT", "ENOTDIR", "ENOTEMPTY", "EEXIST"),
  removeTree: (path) => fs.rmSync(path, { recursive: true, force: true }),
  link: (path, text, like) =>
    (like === undefined ? undefined : sharedLink(path, like)) ??
    succeeds(() => fs.symlinkSync(text, path), "EEXIST"),
  readLink: (path) =>
    ifThere(() => {
      try {
        return fs.readlinkSync(path);
      } catch (error) {
        if (codeOf(error) === "EINVAL") return undefined;
        throw error;
      }
    }),
  hash: hashFile,
};
