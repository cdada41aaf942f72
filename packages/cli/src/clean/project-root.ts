// Removing files below the project's root and nowhere else. Every step of a path is opened without
// following links and the file is removed through the last folder's descriptor, so a folder that is
// swapped for a link in between leads nowhere. Where descriptors have no path (not Linux), every step
// is looked at right before instead.

import * as fs from "node:fs";

const FOLDER = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW;
const BY_DESCRIPTOR = "/proc/self/fd";

/** What {@link ProjectRoot.within} passes on: the path of one entry that cannot lead elsewhere. */
type Use<T> = (entry: string) => T;

export class ProjectRoot {
  readonly #path: string;
  readonly #hasDescriptors: boolean;

  /** `path`: absolute; the root itself may be reached through links. */
  constructor(path: string) {
    this.#path = fs.realpathSync(path);
    this.#hasDescriptors = fs.existsSync(BY_DESCRIPTOR);
  }

  /**
   * Calls `use` with a path for the entry at `path` (relative to the root) that stays inside the
   * root while it is used. Undefined when the entry's folder is missing, or only to be reached
   * through a link, or the path does not lie inside.
   */
  within<T>(path: string, use: Use<T>): T | undefined {
    const steps = path.split("/");
    const name = steps.pop() ?? "";
    if ([name, ...steps].some((step) => step === "" || step === "." || step === "..")) {
      return undefined;
    }
    try {
      return this.#hasDescriptors
        ? this.#through(steps, name, use)
        : this.#stepwise(steps, name, use);
    } catch (error) {
      // By the name that a person knows, not by that of a descriptor.
      throw Object.assign(error as Error, { path: `${this.#path}/${path}` });
    }
  }

  /** Removes a file or link. False when it is not there or out of reach. */
  removeFile(path: string): boolean {
    return this.within(path, (entry) => attempt(() => fs.unlinkSync(entry))) ?? false;
  }

  /** Removes a folder that holds nothing. False when it is missing, not empty or out of reach. */
  removeEmptyFolder(path: string): boolean {
    return this.within(path, (entry) => attempt(() => fs.rmdirSync(entry))) ?? false;
  }

  #through<T>(steps: readonly string[], name: string, use: Use<T>): T | undefined {
    let folder = fs.openSync(this.#path, FOLDER);
    try {
      for (const step of steps) {
        const next = openFolder(`${BY_DESCRIPTOR}/${folder}/${step}`);
        if (next === undefined) return undefined;
        fs.closeSync(folder);
        folder = next;
      }
      return use(`${BY_DESCRIPTOR}/${folder}/${name}`);
    } finally {
      fs.closeSync(folder);
    }
  }

  #stepwise<T>(steps: readonly string[], name: string, use: Use<T>): T | undefined {
    let folder = this.#path;
    for (const step of steps) {
      folder = `${folder}/${step}`;
      if (fs.lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) return undefined;
    }
    return use(`${folder}/${name}`);
  }
}

/** Expected where something is missing, is no folder, or is a link. */
const OUT_OF_REACH: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR", "ELOOP"]);
const NOT_REMOVED: ReadonlySet<string | undefined> = new Set([
  ...OUT_OF_REACH,
  "ENOTEMPTY",
  "EEXIST",
  "EISDIR",
]);

function openFolder(path: string): number | undefined {
  try {
    return fs.openSync(path, FOLDER);
  } catch (error) {
    if (OUT_OF_REACH.has((error as NodeJS.ErrnoException).code)) return undefined;
    throw error;
  }
}

function attempt(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (NOT_REMOVED.has((error as NodeJS.ErrnoException).code)) return false;
    throw error;
  }
}
