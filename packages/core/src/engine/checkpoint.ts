// A checkpoint's directory: where it lies, how long it lives, whether it changed. It is kept over
// retries, requeues, Ctrl-C and preemption, and emptied when the recipe or an input changes.

import { join } from "node:path";
import type { Task } from "../model/task.ts";
import type { FileSystem } from "../ports/file-system.ts";
import type { Layout } from "./layout.ts";

/** Absolute; undefined when the task keeps no checkpoint. */
export function checkpointDirectory(task: Task, layout: Layout): string | undefined {
  if (task.checkpoint === undefined) return undefined;
  const { path } = task.checkpoint;
  return path === undefined ? layout.checkpoint(task.key) : join(layout.root, path);
}

/** Makes the directory; empties it first unless the attempt continues the work it holds. */
export function readyCheckpoint(
  directory: string,
  continues: boolean,
  fileSystem: FileSystem,
): void {
  if (!continues) fileSystem.removeTree(directory);
  fileSystem.makeDirectory(directory);
}

/** Kept after success only when the task says so, or when a raised budget may continue from it. */
export function endCheckpoint(task: Task, directory: string, fileSystem: FileSystem): void {
  if (task.checkpoint?.keep === true || task.budget.length > 0) return;
  fileSystem.removeTree(directory);
}

/** A text that differs when anything in the directory was written, removed or renamed. */
export function checkpointState(directory: string, fileSystem: FileSystem): string {
  const names = fileSystem.list(directory) ?? [];
  return names
    .map(({ name }) => `${name}=${fileSystem.stat(join(directory, name))?.signature ?? ""}`)
    .join("\n");
}
