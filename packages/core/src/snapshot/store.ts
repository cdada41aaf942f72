// Contents by their digest and trees by theirs, under `.flow/objects` and `.flow/trees`. A tree's
// list is written after everything it names, so its being there means that the tree is whole.

import { constants, copyFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Layout } from "../engine/layout.ts";
import { nodeFileSystem } from "../ports/node/file-system.ts";
import { sha256 } from "../trace/fingerprint.ts";
import type { TreeId } from "./manifest.ts";
import { type CodeEntry, encodeManifest, type Manifest, parseManifest } from "./manifest.ts";
import { SnapshotError } from "./snapshot-error.ts";

/** Files up to this size are held in memory whole. */
export const SMALL_BYTES: number = 16 << 20;

const STATE_MODE = 0o700;
const OBJECT_MODE = 0o400;

export type ObjectStore = Pick<Layout, "objects" | "trees">;

export const objectPath = (store: ObjectStore, digest: string): string =>
  `${store.objects}/${digest.slice(0, 2)}/${digest}`;

const treePath = (store: ObjectStore, tree: TreeId): string => `${store.trees}/${tree}.json`;

/** Whether the tree and all it names is stored. */
export const hasTree = (store: ObjectStore, tree: TreeId): boolean =>
  existsSync(treePath(store, tree));

/** Keeps some bytes; does nothing when they are kept already. */
export function putObject(store: ObjectStore, digest: string, data: Uint8Array | string): void {
  putWith(objectPath(store, digest), (temporary) => {
    writeFileSync(temporary, data, { flag: "wx", mode: OBJECT_MODE });
  });
}

/** Keeps a large file and returns the digest of what was kept, which the file may no longer be. */
export async function putFile(store: ObjectStore, path: string): Promise<string | undefined> {
  const temporary = temporaryBeside(`${store.objects}/copy`);
  mkdirSync(store.objects, { recursive: true, mode: STATE_MODE });
  try {
    copyFileSync(path, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    const digest = await nodeFileSystem.hash(temporary);
    if (digest === undefined) return undefined;
    putWith(objectPath(store, digest), (to) => renameSync(temporary, to));
    return digest;
  } finally {
    nodeFileSystem.remove(temporary);
  }
}

/** The bytes with a digest. Throws {@link SnapshotError} when they are lost or damaged. */
export function readObject(store: ObjectStore, digest: string): Buffer {
  const path = objectPath(store, digest);
  const data = nodeFileSystem.read(path);
  if (data !== undefined && sha256(data) === digest) return Buffer.from(data);
  throw new SnapshotError(
    `the stored content ${path} is ${data === undefined ? "missing" : "damaged"}; delete .flow/objects, .flow/trees and .flow/cache, and run again`,
  );
}

export function putTree(store: ObjectStore, tree: TreeId, entries: Manifest): void {
  putWith(treePath(store, tree), (temporary) => {
    writeFileSync(temporary, encodeManifest(entries), { flag: "wx", mode: OBJECT_MODE });
  });
}

/** Throws {@link SnapshotError} when there is no such tree, or its list is damaged. */
export function readTree(store: ObjectStore, tree: TreeId): readonly CodeEntry[] {
  const text = nodeFileSystem.read(treePath(store, tree));
  if (text === undefined) throw new SnapshotError(`there is no stored code tree ${tree}`);
  return parseManifest(tree, Buffer.from(text).toString("utf8"));
}

/** Writes under another name, then renames: whoever sees the file sees all of it. */
function putWith(path: string, write: (temporary: string) => void): void {
  if (existsSync(path)) return;
  const temporary = temporaryBeside(path);
  try {
    write(temporary);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    mkdirSync(dirname(path), { recursive: true, mode: STATE_MODE });
    write(temporary);
  }
  renameSync(temporary, path);
}

let made = 0;

function temporaryBeside(path: string): string {
  made += 1;
  return `${path}.${process.pid}-${made}.tmp`;
}
