// Which flow file is meant when none is named.

import { dirname, join } from "node:path/posix";
import type { FileSystem } from "../ports/file-system.ts";

/** The file, or why there is none to take. `searched`: the folders looked into, nearest first. */
export type FoundFile =
  | { readonly kind: "found"; readonly file: string; readonly searched: readonly string[] }
  | {
      readonly kind: "several";
      readonly files: readonly string[];
      readonly searched: readonly string[];
    }
  | { readonly kind: "none"; readonly searched: readonly string[] };

/**
 * `flow.yaml`, else the only `*.flow.yaml`, in `directory` (absolute) or the nearest folder above it
 * that has one. Paths are absolute.
 */
export function findFlowFile(directory: string, fileSystem: FileSystem): FoundFile {
  const searched: string[] = [];
  for (let folder = directory; ; folder = dirname(folder)) {
    searched.push(folder);
    const files = flowFilesIn(folder, fileSystem);
    const main = files.find((file) => file === join(folder, "flow.yaml"));
    const [first] = files;
    const file = main ?? (files.length === 1 ? first : undefined);
    if (file !== undefined) return { kind: "found", file, searched };
    if (files.length > 1) return { kind: "several", files, searched };
    if (dirname(folder) === folder) return { kind: "none", searched };
  }
}

/** Flow files of one folder by their names, absolute. */
export function flowFilesIn(folder: string, fileSystem: FileSystem): readonly string[] {
  const entries = listed(folder, fileSystem);
  return entries
    .filter(
      ({ name, kind }) =>
        kind !== "directory" && (name === "flow.yaml" || name.endsWith(".flow.yaml")),
    )
    .map(({ name }) => join(folder, name));
}

function listed(folder: string, fileSystem: FileSystem): ReturnType<FileSystem["list"]> & object {
  try {
    return fileSystem.list(folder) ?? [];
  } catch {
    // A folder above that may not be read holds nothing for us.
    return [];
  }
}
