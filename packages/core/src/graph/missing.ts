// Plain deps that no task makes and that do not exist: certain to fail, so they are refused before
// anything starts.

import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { nearest } from "../diagnostics/suggest.ts";
import type { Project } from "../model/project.ts";
import type { Dep, Task } from "../model/task.ts";
import type { FileSystem } from "../ports/file-system.ts";
import { parentOf } from "./paths.ts";
import type { Products } from "./products.ts";

/** More than this many say nothing new. */
const maximumReported = 20;

/** One error for each missing path, at its first use. */
export function findMissing(
  project: Project,
  products: Products,
  fileSystem: Pick<FileSystem, "stat" | "list">,
): readonly Diagnostic[] {
  const exists = new Map<string, boolean>();
  const diagnostics: Diagnostic[] = [];
  for (const task of project.tasks) {
    for (const dep of task.deps) {
      if (!isPlain(dep)) continue;
      if (exists.has(dep.path) || products.at(dep.path).length > 0) continue;
      const isThere = fileSystem.stat(absolute(project.root, dep.path)) !== undefined;
      exists.set(dep.path, isThere);
      if (isThere) continue;
      if (diagnostics.length === maximumReported) return diagnostics;
      diagnostics.push(missing(project, task, dep, products, fileSystem));
    }
  }
  return diagnostics;
}

/** Paths that must exist because no task makes them, each once; what {@link findMissing} looks at. */
export function plainSources(tasks: readonly Task[], products: Products): readonly string[] {
  const sources = new Set<string>();
  for (const task of tasks) {
    for (const dep of task.deps) {
      if (isPlain(dep) && products.at(dep.path).length === 0) sources.add(dep.path);
    }
  }
  return [...sources];
}

type PlainDep = Exclude<Dep, { kind: "glob" }>;

const isPlain = (dep: Dep): dep is PlainDep =>
  dep.kind !== "glob" && !dep.optional && dep.from === undefined;

function missing(
  project: Project,
  task: Task,
  dep: PlainDep,
  products: Products,
  fileSystem: Pick<FileSystem, "list">,
): Diagnostic {
  const directory = parentOf(dep.path);
  const beside = fileSystem.list(absolute(project.root, directory)) ?? [];
  const candidates = [
    ...products.byPath.keys(),
    ...beside.map(({ name }) => (directory === "" ? name : `${directory}/${name}`)),
  ];
  const guess = nearest(dep.path, candidates);
  return {
    code: "missing-dep",
    severity: "error",
    message: `\`${task.id}\` needs \`${dep.path}\`, which does not exist and which no task makes.`,
    span: dep.span,
    related: [],
    fix:
      guess === undefined
        ? dep.isInput === true
          ? "Create it, add the task that makes it, or list it under `targets` if an earlier action does."
          : "Create it, add the task that makes it, or mark it `optional: true`."
        : `Did you mean \`${guess}\`?`,
  };
}

const absolute = (root: string, path: string): string =>
  path.startsWith("/") ? path : path === "" ? root : `${root}/${path}`;
