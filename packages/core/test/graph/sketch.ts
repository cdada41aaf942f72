// Short forms for deps, targets and graphs in tests.

import { expect } from "vitest";
import type { Diagnostic } from "../../src/diagnostics/diagnostic.ts";
import { buildGraph, type TaskGraph } from "../../src/graph/build.ts";
import { normalisePath } from "../../src/graph/paths.ts";
import type { Project } from "../../src/model/project.ts";
import type { Action, Dep, Span, Target, Task } from "../../src/model/task.ts";
import { MemoryFileSystem } from "../../src/testing/memory-file-system.ts";
import { task as plainTask, project, type Sketch } from "../engine/tasks.ts";

export const at = (start: number): Span => ({ file: 0, start, end: start + 1 });

/** `dir/` is a directory, text with a wildcard a glob, anything else a file. */
export function dep(
  path: string,
  more: { readonly optional?: boolean; readonly name?: string } = {},
): Dep {
  const common = {
    name: more.name,
    from: undefined,
    optional: more.optional === true,
    span: at(0),
  };
  if (/[*?[{]/.test(path)) return { kind: "glob", pattern: path, ...common };
  const kind = path.endsWith("/") ? "directory" : "file";
  return { kind, path: normalisePath(path), check: "content", external: false, ...common };
}

/** `dir/` is a directory. */
export const target = (path: string, more: Partial<Target> = {}): Target => ({
  name: undefined,
  kind: path.endsWith("/") ? "directory" : "file",
  path: path === "/" ? "" : path.replace(/\/$/, ""),
  nonempty: false,
  sha256: undefined,
  optional: false,
  update: false,
  untilUsed: false,
  span: at(1),
  ...more,
});

export interface TaskSketch extends Omit<Sketch, "deps" | "targets"> {
  readonly deps?: readonly (string | Dep)[];
  readonly targets?: readonly (string | Target)[];
  readonly actions?: readonly Action[];
}

/** A task that runs something, with everything at its default but what is said. */
export function task(
  name: string,
  { deps = [], targets = [], actions, ...rest }: TaskSketch = {},
): Task {
  return {
    ...plainTask(name, { run: `make ${name}`, ...rest }),
    ...(actions === undefined ? {} : { actions }),
    deps: deps.map((one) => (typeof one === "string" ? dep(one) : one)),
    targets: targets.map((one) => (typeof one === "string" ? target(one) : one)),
  };
}

export const root = "/project";

/** A project file system with these files. */
export function files(...paths: readonly string[]): MemoryFileSystem {
  const fileSystem = new MemoryFileSystem();
  fileSystem.makeDirectory(root);
  for (const path of paths) {
    const full = `${root}/${path}`;
    fileSystem.makeDirectory(full.slice(0, full.lastIndexOf("/")));
    if (!path.endsWith("/")) fileSystem.write(full, path);
  }
  return fileSystem;
}

export const projectOf = (tasks: readonly Task[], more: Partial<Project> = {}): Project => ({
  ...project(root, tasks),
  ...more,
});

/** The graph of tasks that must be right. */
export function graphOf(
  tasks: readonly Task[],
  fileSystem: MemoryFileSystem = files(),
  more: Partial<Project> = {},
): TaskGraph {
  const built = buildGraph(projectOf(tasks, more), fileSystem);
  expect(built).toMatchObject({ ok: true });
  if (!built.ok) throw new Error("unreachable");
  return built.value;
}

/** What is wrong with these tasks. */
export function errorsOf(
  tasks: readonly Task[],
  fileSystem: MemoryFileSystem = files(),
): readonly Diagnostic[] {
  const built = buildGraph(projectOf(tasks), fileSystem);
  return built.ok ? [] : built.error;
}
