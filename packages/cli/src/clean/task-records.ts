// What flow keeps of a task below `.flow/`: its own output and checkpoint directories, the records of
// its attempts, what failed attempts left.

import {
  attemptSerials,
  type FileSystem,
  type Layout,
  markForgotten,
  type Task,
  type TaskKey,
} from "@flow/core";

/**
 * Removes it. The number of the latest attempt stays (as an empty folder), because numbers of
 * attempts never repeat. `keepRecords`: logs and records stay too,
 * with a note that they count no more.
 */
export function removeRecords(
  key: TaskKey,
  slug: Task["slug"] | undefined,
  layout: Layout,
  files: FileSystem,
  keepRecords: boolean,
): void {
  files.removeTree(layout.output(key));
  files.removeTree(layout.checkpoint(key));
  if (slug !== undefined) files.removeTree(`${layout.partial}/${slug}`);
  if (keepRecords) {
    markForgotten(layout, key, files);
    return;
  }
  const serials = attemptSerials(layout, key, files);
  const latest = serials.at(-1);
  for (const serial of serials) files.removeTree(`${layout.attempts(key)}/${serial}`);
  if (latest !== undefined) files.makeDirectory(`${layout.attempts(key)}/${latest}`);
}

/** Removes the records of runs of this flow file, folders of reruns, and all that is only cached. */
export function removeRuns(file: string, layout: Layout, files: FileSystem): void {
  for (const { name } of files.list(layout.runs) ?? []) {
    const bytes = files.read(`${layout.runs}/${name}/run.json`);
    if (bytes !== undefined && fileOf(bytes) === file) files.removeTree(`${layout.runs}/${name}`);
  }
  for (const path of [layout.reruns, layout.drills]) files.removeTree(path);
  for (const { name } of files.list(layout.cache) ?? [])
    files.removeTree(`${layout.cache}/${name}`);
}

function fileOf(bytes: Uint8Array): string | undefined {
  try {
    return (JSON.parse(Buffer.from(bytes).toString("utf8")) as { file?: string }).file;
  } catch {
    return undefined;
  }
}
