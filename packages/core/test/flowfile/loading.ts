// What the tests of the loader share: a project in memory, loaded and rendered.

import { dirname, join } from "node:path/posix";
import { renderDiagnostics } from "../../src/diagnostics/render.ts";
import type { LoadRequest, LoadResult } from "../../src/flowfile/load.ts";
import { loadProject } from "../../src/flowfile/load.ts";
import type { Project } from "../../src/model/project.ts";
import type { Task } from "../../src/model/task.ts";
import { MemoryFileSystem } from "../../src/testing/memory-file-system.ts";

const ROOT = "/p";

export interface Given
  extends Partial<Pick<LoadRequest, "params" | "env" | "file" | "directory" | "known">> {
  /** Further files by path relative to the root. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly paramsFile?: string;
  readonly checkBackend?: LoadRequest["checkBackend"];
}

/** Loads `text` as `/p/flow.yaml`. */
export function load(text: string | Uint8Array, given: Given = {}): LoadResult {
  return loadFiles({ "flow.yaml": text, ...given.files }, given);
}

export function loadFiles(
  files: Readonly<Record<string, string | Uint8Array>>,
  given: Given = {},
): LoadResult {
  const fileSystem = new MemoryFileSystem();
  fileSystem.makeDirectory(ROOT);
  for (const [path, data] of Object.entries(files)) {
    const absolute = join(ROOT, path);
    fileSystem.makeDirectory(dirname(absolute));
    fileSystem.write(absolute, data);
  }
  return loadProject({
    file: given.file,
    directory: given.directory ?? ROOT,
    params: given.params ?? [],
    paramsFile: given.paramsFile,
    env: given.env ?? {},
    fileSystem,
    ...(given.known === undefined ? {} : { known: given.known }),
    ...(given.checkBackend === undefined ? {} : { checkBackend: given.checkBackend }),
  });
}

/** What a person sees. */
export function shown(result: LoadResult): string {
  return renderDiagnostics(result.diagnostics, result.sources);
}

/** The project, when there is nothing to complain about. */
export function project(text: string, given: Given = {}): Project {
  const result = load(text, given);
  if (result.project === undefined || result.diagnostics.length > 0) throw new Error(shown(result));
  return result.project;
}

/** The task with this id. */
export function task(text: string, id: string, given: Given = {}): Task {
  const all = project(text, given).tasks;
  const found = all.find((one) => one.id === id);
  if (found === undefined) throw new Error(`no ${id} among ${all.map((one) => one.id).join(" ")}`);
  return found;
}
