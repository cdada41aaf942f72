// Matches of a glob on the file system, in byte order.

import { compileGlob } from "../graph/glob.ts";
import type { FileSystem } from "../ports/file-system.ts";
import type { Ignore } from "./ignore.ts";
import { join } from "./tree.ts";

/** What a glob matched, and every directory that was looked into to find it. */
export interface Expansion {
  /** Relative to the root. */
  readonly paths: readonly string[];
  /** Absolute paths. */
  readonly directories: readonly string[];
}

/**
 * Expands a pattern relative to `root` (absolute). A pattern with `**` matches files only, others
 * match directories too. Links to directories are not descended into.
 */
export function expandGlob(
  pattern: string,
  root: string,
  ignore: Ignore,
  fileSystem: FileSystem,
): Expansion {
  const wantsDirectories = pattern.endsWith("/");
  const glob = compileGlob(wantsDirectories ? pattern.slice(0, -1) : pattern);
  const takesDirectories = wantsDirectories || !pattern.includes("**");
  const paths: string[] = [];
  const directories: string[] = [];
  const pending = [glob.base];
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    const full = absolute(root, directory);
    directories.push(full);
    for (const { name, kind } of fileSystem.list(full) ?? []) {
      const path = join(directory, name);
      if (ignore(path, name)) continue;
      const target = kind === "link" ? fileSystem.stat(absolute(root, path))?.kind : kind;
      const isDirectory = target === "directory";
      if (isDirectory && kind === "directory" && glob.reaches(path)) pending.push(path);
      if (!glob.matches(path)) continue;
      if (isDirectory ? takesDirectories : target === "file" && !wantsDirectories) paths.push(path);
    }
  }
  return { paths: paths.sort(), directories };
}

const absolute = (root: string, path: string): string =>
  path.startsWith("/") ? path : join(root, path);
