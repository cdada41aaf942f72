// Nothing good is overwritten by something bad: old targets are moved aside before an attempt and
// come back if it fails; what a failed attempt left in their place goes to `.flow/partial/`.

import { basename, dirname, join } from "node:path";
import type { Target, Task } from "../model/task.ts";
import type { FileSystem } from "../ports/file-system.ts";
import { ATTEMPT_FILES, type Layout } from "./layout.ts";

/** Where one attempt's old targets wait. */
export interface Aside {
  readonly root: string;
  /** The attempt's directory. */
  readonly directory: string;
  readonly serial: number;
  /** Indices of the task's targets that were there before the start and had to make room. */
  readonly moved: readonly number[];
}

const place = (aside: Aside, index: number): string =>
  `${aside.directory}/${ATTEMPT_FILES.aside}.${index}`;

/** Used when the target lies on another file system than the state, where a rename cannot reach. */
const neighbour = (aside: Aside, target: Target): string => {
  const path = join(aside.root, target.path);
  return join(dirname(path), `.${basename(path)}.flow-aside-${aside.serial}`);
};

/** Indices of the targets that exist and are not updated in place. */
export function targetsInTheWay(
  task: Task,
  root: string,
  fileSystem: FileSystem,
): readonly number[] {
  return task.targets.flatMap(({ update, path }, index) =>
    !update && fileSystem.lstat(join(root, path)) !== undefined ? [index] : [],
  );
}

/** Moves what is in the way to where {@link restoreAside} finds it. */
export function moveAside(task: Task, aside: Aside, fileSystem: FileSystem): void {
  for (const index of aside.moved) {
    const target = task.targets[index] as Target;
    const path = join(aside.root, target.path);
    try {
      fileSystem.rename(path, place(aside, index));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
      fileSystem.rename(path, neighbour(aside, target));
    }
  }
}

/** After success: what was moved aside is no longer needed. */
export function dropAside(task: Task, aside: Aside, fileSystem: FileSystem): void {
  for (const index of aside.moved) {
    const stored = findAside(aside, task.targets[index] as Target, index, fileSystem);
    if (stored !== undefined) fileSystem.removeTree(stored);
  }
}

/**
 * After anything but success: partial targets go to `.flow/partial/`, the old ones come back. Returns
 * where partial ones went.
 */
export function restoreAside(
  task: Task,
  aside: Aside,
  layout: Layout,
  fileSystem: FileSystem,
): readonly string[] {
  const kept: string[] = [];
  task.targets.forEach((target, index) => {
    if (target.update) return;
    const path = join(aside.root, target.path);
    const stored = aside.moved.includes(index)
      ? findAside(aside, target, index, fileSystem)
      : undefined;
    // Recorded as moved but not found: flow died before it could move it, so what is there is the old one.
    if (stored === undefined && aside.moved.includes(index)) return;
    if (fileSystem.lstat(path) !== undefined) {
      const partial = join(layout.partial, task.slug, target.path);
      if (keepPartial(path, partial, fileSystem)) kept.push(partial);
    }
    if (stored !== undefined) fileSystem.rename(stored, path);
  });
  return kept;
}

function findAside(
  aside: Aside,
  target: Target,
  index: number,
  fileSystem: FileSystem,
): string | undefined {
  const candidates = [place(aside, index), neighbour(aside, target)];
  return candidates.find((path) => fileSystem.lstat(path) !== undefined);
}

function keepPartial(path: string, partial: string, fileSystem: FileSystem): boolean {
  fileSystem.removeTree(partial);
  fileSystem.makeDirectory(dirname(partial));
  try {
    fileSystem.rename(path, partial);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    fileSystem.removeTree(path);
    return false;
  }
}

/** Makes the folders that the targets will lie in. */
export function makeTargetFolders(
  task: Task,
  root: string,
  known: Set<string>,
  fileSystem: FileSystem,
): void {
  for (const target of task.targets) {
    const folder = dirname(join(root, target.path));
    if (known.has(folder)) continue;
    if (fileSystem.stat(folder) === undefined) fileSystem.makeDirectory(folder);
    known.add(folder);
  }
}
