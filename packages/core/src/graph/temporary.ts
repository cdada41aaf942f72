// Targets with `keep: until_used`: who uses them, and the rules that make it safe to remove them. A
// removed target can only be missed by its own path, so nobody may see it through a glob or as part
// of a larger directory.

import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import type { TaskId, TaskKey } from "../model/ids.ts";
import type { Project } from "../model/project.ts";
import type { Dep, Target, Task } from "../model/task.ts";
import { compileGlob } from "./glob.ts";
import { isWithin } from "./paths.ts";
import type { Products } from "./products.ts";

/** A temporary target with the tasks that touch it, by index into the project's tasks. */
export interface Temporary {
  readonly path: string;
  readonly maker: number;
  /** In ascending order; without any it is never removed. */
  readonly users: readonly number[];
}

/** The same within a plan. */
export interface TemporaryTarget {
  readonly path: string;
  readonly maker: { readonly id: TaskId; readonly key: TaskKey };
  /** Index of the maker; absent when the plan leaves it out. */
  readonly task: number | undefined;
  /** Indices of the plan's tasks that use it. */
  readonly users: readonly number[];
  /** Every task of the project that uses it is in the plan. */
  readonly isComplete: boolean;
}

/** Finds them all; the diagnostics are errors. */
export function findTemporary(
  { tasks }: Pick<Project, "tasks">,
  products: Products,
): { readonly temporary: readonly Temporary[]; readonly diagnostics: readonly Diagnostic[] } {
  const users = new Map<Target, Set<number>>();
  for (const { targets } of tasks) {
    for (const target of targets) if (target.untilUsed) users.set(target, new Set());
  }
  if (users.size === 0) return { temporary: [], diagnostics: [] };
  const diagnostics = tasks.flatMap(checkDeclarations);
  tasks.forEach((task, index) => {
    for (const dep of task.deps) {
      for (const { path, task: maker } of usedBy(dep, products)) {
        const target = tasks[maker]?.targets.find((one) => one.path === path && one.untilUsed);
        if (target === undefined) continue;
        users.get(target)?.add(index);
        if (dep.kind === "glob" || !isWithin(dep.path, path)) {
          diagnostics.push(throughSomethingLarger(task, dep, tasks[maker], target));
        }
      }
    }
  });
  const temporary = tasks.flatMap(({ targets }, maker) =>
    targets.flatMap((target) => {
      const found = users.get(target);
      return found === undefined ? [] : [{ path: target.path, maker, users: [...found] }];
    }),
  );
  return { temporary, diagnostics };
}

const usedBy = (dep: Dep, products: Products): ReturnType<Products["at"]> =>
  dep.kind === "glob" ? products.matching(compileGlob(dep.pattern)) : products.at(dep.path);

function checkDeclarations({ id, targets, values, protect }: Task): readonly Diagnostic[] {
  return targets.flatMap(({ untilUsed, update, path, span }): Diagnostic[] => {
    if (!untilUsed) return [];
    const other = update
      ? "`update: true`, which keeps what is there"
      : path === values
        ? "`values`, which other tasks read at any time"
        : protect
          ? "`protect: true`, which keeps it"
          : undefined;
    if (other === undefined) return [];
    return [
      {
        code: "bad-target",
        severity: "error",
        message: `The target \`${path}\` of \`${id}\` has \`keep: until_used\` and ${other}.`,
        span,
        related: [],
        fix: "Leave one of the two out.",
      },
    ];
  });
}

function throughSomethingLarger(
  { id }: Task,
  dep: Dep,
  maker: Task | undefined,
  { path, span }: Target,
): Diagnostic {
  const seen =
    dep.kind === "glob" ? `the pattern \`${dep.pattern}\`` : `the directory \`${dep.path}/\``;
  return {
    code: "bad-target",
    severity: "error",
    message: `\`${id}\` uses \`${path}\` through ${seen}, but \`${maker?.id ?? ""}\` makes it with \`keep: until_used\`, so it will be removed.`,
    span: dep.span,
    related: [{ span, message: "it is declared here" }],
    fix: `Name \`${path}\` itself as a dep, or leave \`keep: until_used\` out.`,
  };
}

/** What of them concerns a plan; `numberOf`: the place of a project's task in the plan. */
export function temporaryIn(
  temporary: readonly Temporary[],
  tasks: readonly Task[],
  numberOf: ReadonlyMap<number, number>,
): readonly TemporaryTarget[] {
  return temporary.flatMap(({ path, maker, users }): TemporaryTarget[] => {
    const task = numberOf.get(maker);
    const within = users.flatMap((user) => numberOf.get(user) ?? []);
    const owner = tasks[maker];
    if (owner === undefined || (task === undefined && within.length === 0)) return [];
    const isComplete = within.length === users.length;
    const { id, key } = owner;
    return [{ path, maker: { id, key }, task, users: within, isComplete }];
  });
}
