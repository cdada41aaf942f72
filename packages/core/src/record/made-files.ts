// Which files a task has left in the directories that are its own: its directory targets, named
// outputs and its checkpoint where that has a place of its own. `clean` removes these and nothing
// else from such a directory.

import { ATTEMPT_FILES, type Layout } from "../engine/layout.ts";
import { attemptKey, type TaskKey } from "../model/ids.ts";
import type { Task } from "../model/task.ts";
import type { FileSystem } from "../ports/file-system.ts";
import { type AttemptRecord, attemptSerials } from "./attempt-record.ts";

/** A file or link, relative to its directory, with its own stat signature (links are not followed). */
export type MadeFile = readonly [path: string, signature: string];

/** Files by directory (relative to the root). */
export type MadeFiles = Readonly<Record<string, readonly MadeFile[]>>;

/** Paths of the directories that are the task's own, relative to the root. */
export function ownDirectories(task: Task): readonly string[] {
  const targets = task.targets.filter(({ kind }) => kind === "directory").map(({ path }) => path);
  const outputs = Object.values(task.outputs).filter((path) => path !== "");
  const checkpoint = task.checkpoint?.path === undefined ? [] : [task.checkpoint.path];
  return [...new Set([...targets, ...outputs, ...checkpoint])];
}

/**
 * Writes down which files of the task's own directories are this attempt's or an earlier one's. A
 * file is this attempt's when it is no older, by the file system's own clock, than the attempt's
 * record; it is an earlier one's when that one has recorded it as it is now.
 */
export function recordMade(
  { task, root, serial }: Pick<AttemptRecord, "task" | "root" | "serial">,
  layout: Layout,
  files: FileSystem,
): void {
  const directories = ownDirectories(task);
  if (directories.length === 0) return;
  const attempt = layout.attempt(attemptKey(task.key, serial));
  const since = files.lstat(`${attempt}/${ATTEMPT_FILES.record}`)?.changedNs ?? 0n;
  const earlier = readMade(layout, task.key, files, serial - 1);
  const made = directories.map((directory) => {
    const known = new Map(earlier[directory]);
    const own = listFiles(`${root}/${directory}`, files).filter(
      ({ path, signature, changedNs }) => changedNs >= since || known.get(path) === signature,
    );
    return [directory, own.map(({ path, signature }): MadeFile => [path, signature])];
  });
  files.write(`${attempt}/${ATTEMPT_FILES.made}`, JSON.stringify(Object.fromEntries(made)));
}

/** The latest list of a task's files up to the attempt `last` (absent: of all); empty without one. */
export function readMade(
  layout: Layout,
  task: TaskKey,
  files: FileSystem,
  last: number = Number.POSITIVE_INFINITY,
): MadeFiles {
  const serials = attemptSerials(layout, task, files).filter((serial) => serial <= last);
  for (const serial of serials.reverse()) {
    const path = `${layout.attempt(attemptKey(task, serial))}/${ATTEMPT_FILES.made}`;
    const bytes = files.read(path);
    if (bytes === undefined) continue;
    try {
      return JSON.parse(Buffer.from(bytes).toString("utf8")) as MadeFiles;
    } catch {
      // Torn by a crash: the one before it still holds.
    }
  }
  return {};
}

/** A file or link as it lies there. */
export interface FoundFile {
  /** Relative to the directory that was looked through. */
  readonly path: string;
  readonly signature: string;
  readonly changedNs: bigint;
}

/** Every file and link below a directory (absolute). Empty when it is none, or a link to one. */
export function listFiles(directory: string, files: FileSystem): readonly FoundFile[] {
  if (files.lstat(directory)?.kind !== "directory") return [];
  const found: FoundFile[] = [];
  const pending = [""];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    for (const { name, kind } of files.list(`${directory}/${parent}`) ?? []) {
      const path = `${parent}${name}`;
      if (kind === "directory") pending.push(`${path}/`);
      else {
        const stat = files.lstat(`${directory}/${path}`);
        if (stat !== undefined) found.push({ path, ...stat });
      }
    }
  }
  return found;
}
