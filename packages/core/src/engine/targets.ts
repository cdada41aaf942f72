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
}

const place = (aside: Aside, index: number): string =>
  `${aside.directory}/${ATTEMPT_FILES.aside}.${index}`;

/** Used when the target lies on another file system than the state, where a rename cannot reach. */
const neighbour = (aside: Aside, target: Target): string => {
  const path = join(aside.root, target.path);
  return join(dirname(path), `.${basename(path)}.flow-aside-${aside.serial}`);
};

/** Moves every existing target that is not updated in place out of the way. */
export function moveAside(task: Task, aside: Aside, fileSystem: FileSystem): void {
  task.targets.forEach((target, index) => {
    if (target.update) return;
    const path = join(aside.root, target.path);
    if (fileSystem.lstat(path) === undefined) return;
    try {
      fileSystem.rename(path, place(aside, index));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
      fileSystem.rename(path, neighbour(aside, target));
    }
  });
}

/** After success: what was moved aside is no longer needed. */
export function dropAside(task: Task, aside: Aside, fileSystem: FileSystem): void {
  task.targets.forEach((target, index) => {
    const stored = findAside(aside, target, index, fileSystem);
    if (stored !== undefined) fileSystem.removeTree(stored);
  });
}

/** After anything but success: partial targets go to `.flow/partial/`, the old ones come back. */
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
    const stored = findAside(aside, target, index, fileSystem);
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
