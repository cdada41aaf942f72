// Walks a directory for hashing: every file, link and empty directory with its stat signature, in a
// fixed order. Links are followed to what they mean; a link that leads back up is not.

import type { FileSystem } from "../ports/file-system.ts";
import type { Ignore } from "./ignore.ts";

/** One thing in a directory. */
export interface TreeEntry {
  /** Relative to the directory that was walked. */
  readonly path: string;
  readonly kind: "file" | "directory" | "link" | "other";
  /** Of what it resolves to; "" for a dangling link. */
  readonly signature: string;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly changedNs: bigint;
  /** Text of a link that is not followed; absent for everything else. */
  readonly link: string | undefined;
}

interface Pending {
  readonly path: string;
  /** Signatures of the directories above and itself; a link to one of them is a loop. */
  readonly above: readonly string[];
}

/**
 * Everything in `directory` (absolute), parents before children. `prefix` is its path relative to
 * the project root, which patterns of `ignore` refer to. Undefined when it is not a directory.
 */
export function walkTree(
  directory: string,
  prefix: string,
  ignore: Ignore,
  fileSystem: FileSystem,
): readonly TreeEntry[] | undefined {
  const top = fileSystem.stat(directory);
  if (top?.kind !== "directory") return undefined;
  const entries: TreeEntry[] = [{ ...top, path: "", link: undefined }];
  const pending: Pending[] = [{ path: "", above: [top.signature] }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path: parent, above } = next;
    for (const { name, kind } of fileSystem.list(join(directory, parent)) ?? []) {
      const path = join(parent, name);
      if (ignore(join(prefix, path), name)) continue;
      const entry = look(directory, path, kind, above, fileSystem);
      if (entry === undefined) continue;
      entries.push(entry);
      if (entry.kind === "directory") pending.push({ path, above: [...above, entry.signature] });
    }
  }
  return entries;
}

function look(
  directory: string,
  path: string,
  kind: TreeEntry["kind"],
  above: readonly string[],
  fileSystem: FileSystem,
): TreeEntry | undefined {
  const full = join(directory, path);
  const stat = fileSystem.stat(full);
  const isLoop = kind === "link" && stat !== undefined && above.includes(stat.signature);
  if (stat !== undefined && !isLoop) return { ...stat, path, link: undefined };
  if (kind !== "link") return undefined;
  const link = fileSystem.readLink(full) ?? "";
  return { path, kind: "link", signature: "", size: 0, mtimeNs: 0n, changedNs: 0n, link };
}

/** Joins two paths of which either may be empty. */
export const join = (directory: string, path: string): string =>
  directory === "" ? path : path === "" ? directory : `${directory}/${path}`;
