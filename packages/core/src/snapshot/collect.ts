// Removes captured code that no record names any more. What is named is found by looking for digests
// in every record, so a record of whatever form keeps all that it mentions.

import type { Layout } from "../engine/layout.ts";
import { ATTEMPT_FILES } from "../engine/layout.ts";
import type { FileSystem } from "../ports/file-system.ts";

/** What was removed. */
export interface Collected {
  readonly trees: number;
  readonly objects: number;
  readonly bytes: number;
}

const DIGEST = /\b[0-9a-f]{64}\b/g;

/**
 * Removes trees and contents that nothing on record names. Must not be called while a run is under
 * way: what it is about to record would not be found yet.
 */
export function collectCode(layout: Layout, files: FileSystem): Collected {
  const named = recordedDigests(layout, files);
  let [trees, objects, bytes] = [0, 0, 0];
  for (const { name } of files.list(layout.trees) ?? []) {
    const path = `${layout.trees}/${name}`;
    if (named.has(name.replace(/\.json$/, ""))) addDigests(files.read(path), named);
    else {
      bytes += files.lstat(path)?.size ?? 0;
      trees += files.remove(path) ? 1 : 0;
    }
  }
  for (const { name: folder } of files.list(layout.objects) ?? []) {
    for (const { name } of files.list(`${layout.objects}/${folder}`) ?? []) {
      if (named.has(name)) continue;
      const path = `${layout.objects}/${folder}/${name}`;
      bytes += files.lstat(path)?.size ?? 0;
      objects += files.remove(path) ? 1 : 0;
    }
    files.removeDirectory(`${layout.objects}/${folder}`);
  }
  return { trees, objects, bytes };
}

/** Every digest in the records of attempts and runs. */
function recordedDigests(layout: Layout, files: FileSystem): Set<string> {
  const named = new Set<string>();
  for (const { name } of files.list(layout.runs) ?? []) {
    addDigests(files.read(`${layout.runs}/${name}/code.json`), named);
  }
  for (const { name: folder } of files.list(layout.tasks) ?? []) {
    for (const { name: task } of files.list(`${layout.tasks}/${folder}`) ?? []) {
      const attempts = `${layout.tasks}/${folder}/${task}/attempts`;
      for (const { name: serial } of files.list(attempts) ?? []) {
        for (const file of [ATTEMPT_FILES.record, ATTEMPT_FILES.result]) {
          addDigests(files.read(`${attempts}/${serial}/${file}`), named);
        }
      }
    }
  }
  return named;
}

function addDigests(bytes: Uint8Array | undefined, named: Set<string>): void {
  if (bytes === undefined) return;
  for (const [digest] of Buffer.from(bytes).toString("utf8").matchAll(DIGEST)) named.add(digest);
}
