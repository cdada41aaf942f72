// Where a file of the project comes from and who needs it.

import type { ProjectState, RunId, Task, TaskId } from "@flow/core";

export interface FileOrigin {
  /** Relative to the root. */
  readonly path: string;
  /** Undefined for a source. */
  readonly madeBy: TaskId | undefined;
  /** The success it comes from; undefined when there was none. */
  readonly made: FileMade | undefined;
  readonly neededBy: readonly TaskId[];
}

interface FileMade {
  readonly run: RunId;
  /** Unix milliseconds. */
  readonly endedAt: number;
  readonly durationMs: number;
  readonly commands: readonly string[];
  readonly params: Readonly<Record<string, string>>;
  readonly inputs: readonly { readonly path: string; readonly digest: string }[];
}

/** Undefined when no task makes or needs the path (relative to the root). */
export function fileOrigin(
  path: string,
  tasks: readonly Task[],
  traces: ProjectState["traces"],
): FileOrigin | undefined {
  const maker = tasks.find(
    ({ targets, values }) => values === path || targets.some((target) => covers(target, path)),
  );
  const needing = tasks.filter((task) => needs(task, path, traces));
  if (maker === undefined && needing.length === 0) return undefined;
  const trace = maker && traces.get(maker.key);
  return {
    path,
    madeBy: maker?.id,
    made: trace && {
      run: trace.run,
      endedAt: trace.endedAt,
      durationMs: trace.durationMs,
      commands: trace.fingerprint.recipe.actions,
      params: trace.params,
      inputs: trace.deps.map((dep) => ({ path: dep.path, digest: dep.digest })),
    },
    neededBy: needing.map(({ id }) => id),
  };
}

const covers = (
  { path, kind }: { readonly path: string; readonly kind: string },
  inner: string,
): boolean => path === inner || (kind === "directory" && inner.startsWith(`${path}/`));

/** By its definition, or, where that is a glob, by what its last success has read. */
function needs({ key, deps }: Task, path: string, traces: ProjectState["traces"]): boolean {
  const byName = deps.some((dep) => dep.kind !== "glob" && covers(dep, path));
  if (byName || !deps.some(({ kind }) => kind === "glob")) return byName;
  return traces.get(key)?.deps.some((dep) => dep.path === path) ?? false;
}
