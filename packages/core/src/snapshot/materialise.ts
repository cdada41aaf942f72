// Writes a stored tree out as a directory that many tasks run from, once for each host. It is made
// under another name and renamed, so whoever finds it finds it whole; it is read-only, so that no
// task changes the code of another.

import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, isAbsolute } from "node:path";
import { nodeFileSystem } from "../ports/node/file-system.ts";
import { shortHash } from "../trace/fingerprint.ts";
import { refuseEscapingLinks } from "./links.ts";
import type { Manifest, TreeId } from "./manifest.ts";
import { SnapshotError } from "./snapshot-error.ts";
import { type ObjectStore, readObject, readTree } from "./store.ts";

export interface MaterialiseRequest {
  readonly store: ObjectStore;
  readonly tree: TreeId;
  /** Absolute directory that holds one directory for each tree. */
  readonly into: string;
  /**
   * Large directories that are data, not code: path relative to the tree → absolute path it leads
   * to. What the tree itself holds is not replaced.
   */
  readonly links?: Readonly<Record<string, string>>;
}

/** Absolute path of the directory. Throws {@link SnapshotError}, or what the disk throws. */
export function materialise({ store, tree, into, links = {} }: MaterialiseRequest): string {
  const names = Object.entries(links).sort(([a], [b]) => (a < b ? -1 : 1));
  const suffix = names.length === 0 ? "" : `-${shortHash(JSON.stringify(names)).slice(0, 12)}`;
  const target = `${into}/${tree}${suffix}`;
  if (existsSync(target)) return target;
  const manifest = readTree(store, tree);
  refuseEscapingLinks(manifest);
  const temporary = `${into}/${randomBytes(8).toString("hex")}.tmp`;
  mkdirSync(temporary, { recursive: true, mode: 0o700 });
  try {
    const directories = writeOut(manifest, store, temporary);
    for (const [path, leadsTo] of withoutHeld(names, manifest)) {
      makeParents(temporary, path, directories);
      symlinkSync(leadsTo, `${temporary}/${path}`);
    }
    for (const path of [...directories].sort().reverse()) chmodSync(`${temporary}/${path}`, 0o555);
    chmodSync(temporary, 0o555);
    renameUnlessThere(temporary, target);
  } finally {
    removeReadOnly(temporary);
  }
  return target;
}

/**
 * Writes a stored tree out into a new directory whose files may be changed. Throws
 * {@link SnapshotError}, or what the disk throws; what was written by then is removed.
 */
export function checkOut(store: ObjectStore, tree: TreeId, directory: string): void {
  const manifest = readTree(store, tree);
  refuseEscapingLinks(manifest);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  try {
    writeOut(manifest, store, directory, 0o200);
  } catch (error) {
    nodeFileSystem.removeTree(directory);
    throw error;
  }
}

/** Directories that were made, relative. `extra`: permissions beyond reading. */
function writeOut(manifest: Manifest, store: ObjectStore, root: string, extra = 0): Set<string> {
  const directories = new Set<string>();
  for (const { path, kind, content } of manifest) {
    makeParents(root, path, directories);
    if (kind === "link") symlinkSync(content, `${root}/${path}`);
    else {
      const mode = (kind === "executable" ? 0o555 : 0o444) | extra;
      writeFileSync(`${root}/${path}`, readObject(store, content), { flag: "wx", mode });
    }
  }
  return directories;
}

function makeParents(root: string, path: string, made: Set<string>): void {
  const parent = dirname(path);
  if (parent === "." || made.has(parent)) return;
  makeParents(root, parent, made);
  mkdirSync(`${root}/${parent}`, 0o700);
  made.add(parent);
}

/** Links whose place the tree leaves free. Throws when one is not safe to make. */
function withoutHeld(
  links: readonly (readonly [string, string])[],
  manifest: Manifest,
): readonly (readonly [string, string])[] {
  const held = new Set(
    manifest.flatMap(({ path }) => {
      const parts = path.split("/");
      return parts.map((_, at) => parts.slice(0, at + 1).join("/"));
    }),
  );
  const solid = new Set(manifest.map(({ path }) => path));
  return links.filter(([path, leadsTo]) => {
    const parts = path.split("/");
    const isBelowFile = parts.some((_, at) => at > 0 && solid.has(parts.slice(0, at).join("/")));
    if (parts.some((part) => part === "" || part === "." || part === "..") || isBelowFile) {
      throw new SnapshotError(`a link to data cannot be made at \`${path}\` in the code`);
    }
    if (!isAbsolute(leadsTo)) {
      throw new SnapshotError(
        `the link \`${path}\` must lead to an absolute path, not \`${leadsTo}\``,
      );
    }
    return !held.has(path);
  });
}

/** Somebody else may have made it in the meantime; theirs is as good. */
function renameUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  }
}

/** Nothing can be removed from a read-only directory, so each is made writable first. */
function removeReadOnly(path: string): void {
  if (!existsSync(path)) return;
  chmodSync(path, 0o700);
  for (const { name, kind } of nodeFileSystem.list(path) ?? []) {
    if (kind === "directory") removeReadOnly(`${path}/${name}`);
    else unlinkSync(`${path}/${name}`);
  }
  rmdirSync(path);
}
