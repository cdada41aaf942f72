// What flow has on record as its own product, and of that what may go: files that are still as they
// were made. Everything else is kept, with the reason. Reads only.

import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import {
  type FileSystem,
  type Layout,
  listFiles,
  type MadeFiles,
  readMade,
  type TargetState,
  type Task,
  type TaskKey,
  type Trace,
} from "@flow/core";
import type { ProjectRoot } from "./project-root.ts";

/** A file or link that goes; `path` is relative to the root. */
interface Removal {
  readonly path: string;
  readonly bytes: number;
}

interface Kept {
  readonly path: string;
  /** `changed since it was made`, … */
  readonly why: string;
  /** It is the task's product all the same; the task is not forgotten while it stays. */
  readonly isProduct: boolean;
}

export interface Inventory {
  readonly removals: readonly Removal[];
  readonly kept: readonly Kept[];
  /** Folders that go if nothing is left in them, the innermost first. */
  readonly folders: readonly string[];
}

export interface InventoryContext {
  /** Absolute. */
  readonly project: string;
  readonly root: ProjectRoot;
  readonly layout: Layout;
  readonly files: FileSystem;
  /** Takes also what is protected or has changed since. */
  readonly force: boolean;
  /** Why a path must stay whatever its record says; undefined: it need not. */
  readonly mustStay: (path: string) => string | undefined;
}

/** What is known of a task: its definition while it is in the flow file, its last success. */
export interface Product {
  readonly key: TaskKey;
  readonly task: Task | undefined;
  readonly trace: Trace | undefined;
}

/** Looks at everything a task has made. */
export function takeInventory(product: Product, context: InventoryContext): Inventory {
  const made = readMade(context.layout, product.key, context.files);
  const found: (Removal | Kept | undefined)[] = [];
  for (const [directory, name, signature] of entriesOf(made, context)) {
    const path = `${directory}/${name}`;
    const isOurs = signature !== undefined;
    found.push(
      isOurs
        ? judge({ path, signature, digest: undefined }, product, context)
        : { path, why: "not made by flow", isProduct: false },
    );
  }
  for (const state of product.trace?.targets ?? []) {
    if (!Object.hasOwn(made, state.path)) found.push(judge(state, product, context));
  }
  return {
    removals: found.filter((one) => one !== undefined && "bytes" in one) as readonly Removal[],
    kept: found.filter((one) => one !== undefined && "why" in one) as readonly Kept[],
    folders: folders(made, product.trace?.targets ?? []),
  };
}

/** Everything in a task's own directories now, with the signature it was made with, if it was. */
function entriesOf(
  made: MadeFiles,
  { project, files }: InventoryContext,
): readonly (readonly [directory: string, name: string, signature: string | undefined])[] {
  return Object.entries(made).flatMap(([directory, entries]) => {
    const recorded = new Map(entries);
    return listFiles(`${project}/${directory}`, files).map(
      ({ path }) => [directory, path, recorded.get(path)] as const,
    );
  });
}

/** Undefined when nothing is there. */
function judge(
  { path, signature, digest }: Recorded,
  { task }: Product,
  { root, files, force, mustStay }: InventoryContext,
): Removal | Kept | undefined {
  const stays = mustStay(path);
  if (stays !== undefined) return { path, why: stays, isProduct: false };
  return root.within(path, (entry): Removal | Kept | undefined => {
    const stat = files.lstat(entry);
    if (stat === undefined) return undefined;
    const keep = (why: string): Kept => ({ path, why, isProduct: true });
    if (stat.kind === "directory") return keep("a folder whose files are not on record");
    if (task?.protect === true && !force) return keep("protected; --force removes it");
    const isSame = stat.signature === signature || sha256(entry) === digest;
    return isSame || force
      ? { path, bytes: stat.size }
      : keep("changed since it was made; --force removes it");
  });
}

interface Recorded {
  readonly path: string;
  readonly signature: string;
  /** Undefined where only the signature is on record. */
  readonly digest: string | undefined;
}

const PIECE = 1 << 20;

/** Of what lies at a path, links followed; undefined when that cannot be read. */
function sha256(path: string): string | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    const hash = createHash("sha256");
    const piece = Buffer.alloc(PIECE);
    for (let read = readSync(descriptor, piece); read > 0; read = readSync(descriptor, piece)) {
      hash.update(piece.subarray(0, read));
    }
    return hash.digest("hex");
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Each folder once, after all that lie in it. */
export const innermostFirst = (folders: Iterable<string>): readonly string[] =>
  [...new Set(folders)].sort((a, b) => b.split("/").length - a.split("/").length);

/** Folders of products, and the folders above those of targets. */
function folders(made: MadeFiles, targets: readonly TargetState[]): readonly string[] {
  const found = new Set<string>();
  const add = (path: string): void => {
    for (let at = path; at !== "" && at !== "."; at = parent(at)) found.add(at);
  };
  for (const [directory, entries] of Object.entries(made)) {
    add(directory);
    for (const [name] of entries) add(parent(`${directory}/${name}`));
  }
  for (const { path } of targets) add(parent(path));
  return innermostFirst(found);
}

const parent = (path: string): string => path.split("/").slice(0, -1).join("/");
