// Backends as the file declares them, and the check of the parts that are a backend's own.

import type { OptionIssue } from "../backend/plugin.ts";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import type { Span, Task } from "../model/task.ts";
import type { BackendDeclaration } from "../model/project.ts";
import type { MapNode, Node } from "./document/node.ts";
import { child, entriesOf, spanOf, textOf } from "./document/node.ts";
import type { Loading } from "./tasks/scope.ts";
import { fillData } from "./template/fill-data.ts";
import type { Filling } from "./template/template.ts";

/** Backends that need no declaration. */
export const BUILT_IN_BACKENDS: readonly string[] = ["local", "gpu", "slurm", "azure-batch"];

/** What to say of a name that is neither declared nor built in; undefined for one that is. */
export function unknownBackend(
  name: string,
  declared: Iterable<string>,
): { readonly message: string; readonly fix: string } | undefined {
  const known = [...new Set([...declared, ...BUILT_IN_BACKENDS])];
  if (known.includes(name)) return undefined;
  return {
    message: `there is no backend \`${name}\``,
    fix:
      didYouMean(name, known) ?? `Declare it under \`backends:\`. There is: ${known.join(", ")}.`,
  };
}

/**
 * What plug-ins say about their options. `use` is a backend's type or npm package; no issues also
 * where the plug-in is not known to the caller.
 */
export interface BackendChecks {
  options(use: string, options: unknown): readonly OptionIssue[];
  taskOptions(use: string, options: unknown): readonly OptionIssue[];
  /** Why the backend cannot do what the task asks for; undefined when it can. */
  refuse?(use: string, task: Task): string | undefined;
}

/** Names and types under `backends:`, for references from tasks. */
export function backendTypes(map: MapNode): ReadonlyMap<string, string> {
  const types = new Map<string, string>();
  for (const [name, { value }] of entriesOf(child(map, "backends"))) {
    if (name.startsWith("x-")) continue;
    const type = child(value, "type") ?? child(value, "use");
    types.set(name, type === undefined ? "" : textOf(type));
  }
  return types;
}

/** The declarations of one file, checked. */
export function readBackends(
  map: MapNode,
  filling: Filling,
  checks: BackendChecks | undefined,
): readonly BackendDeclaration[] {
  const declarations: BackendDeclaration[] = [];
  for (const [name, { key, value }] of entriesOf(child(map, "backends"))) {
    if (name.startsWith("x-") || value.kind !== "map") continue;
    const type = child(value, "type");
    const use = child(value, "use");
    if ((type === undefined) === (use === undefined)) {
      filling.report.error(
        "missing-key",
        spanOf(key),
        `the backend \`${name}\` needs either \`type\` or \`use\``,
        {
          fix: `Write type: ${BUILT_IN_BACKENDS.join("|")}, or use: with the name of an npm package.`,
        },
      );
      continue;
    }
    if (type !== undefined && !BUILT_IN_BACKENDS.includes(textOf(type))) {
      filling.report.error(
        "unknown-backend",
        spanOf(type),
        `\`${textOf(type)}\` is not a type of backend`,
        {
          fix:
            didYouMean(textOf(type), BUILT_IN_BACKENDS) ??
            `It is one of ${BUILT_IN_BACKENDS.join(", ")}; a package is named with \`use:\`.`,
        },
      );
      continue;
    }
    const node = type === undefined ? child(value, "options") : value;
    const options = node === undefined ? {} : (fillData(node, filling) as Record<string, unknown>);
    if (type !== undefined) delete options["type"];
    const declaration = { name, use: textOf(type ?? use ?? value), options };
    declarations.push(declaration);
    report(checks?.options(declaration.use, options), node ?? value, `backends.${name}`, filling);
  }
  return declarations;
}

/** Checks a task's block of options (`slurm: {…}`). */
export function checkTaskOptions(
  block: string,
  options: unknown,
  node: Node,
  loading: Loading,
  filling: Filling,
): void {
  const use = loading.backends.get(block) ?? block;
  report(loading.checks?.taskOptions(use, options), node, block, filling);
}

/** All that is wrong at one place is one problem. */
function report(
  issues: readonly OptionIssue[] | undefined,
  node: Node,
  what: string,
  filling: Filling,
): void {
  const found = new Map<Node, string[]>();
  for (const { path, message } of issues ?? []) {
    let at: Node = node;
    for (const part of path) {
      const next = at.kind === "list" ? at.items[Number(part)] : child(at, String(part));
      if (next === undefined) break;
      at = next;
    }
    const name = [what, ...path.map(String)].join(".");
    found.set(at, [...(found.get(at) ?? []), `\`${name}\`: ${message}`]);
  }
  for (const [at, messages] of found) {
    filling.report.error("backend-options", spanOf(at), messages.join(" "));
  }
}

/** Of backends that are used by their bare names (with the place), those that need more than a name. */
export function undeclaredBackends(
  uses: readonly (readonly [name: string, place: Span | undefined])[],
  declared: readonly BackendDeclaration[],
  checks: BackendChecks | undefined,
): readonly Diagnostic[] {
  return uses.flatMap(([name, span]): Diagnostic[] => {
    const issues = checks?.options(name, {}) ?? [];
    if (issues.length === 0) return [];
    const wanted = issues.map(({ path, message }) =>
      path.length === 0 ? message : `\`${path.join(".")}\`: ${message}`,
    );
    const keys = new Set(issues.flatMap(({ path: [key] }) => (key === undefined ? [] : [key])));
    const options = [`type: ${name}`, ...[...keys].map((key) => `${key}: …`)].join(", ");
    const meant = declared.find(({ use }) => use === name);
    return [
      {
        code: "backend-options",
        severity: "error",
        message: `the backend \`${name}\` cannot be used without options. ${wanted.join(" ")}`,
        span,
        related: [],
        fix:
          meant === undefined
            ? `Write backends: {${name}: {${options}}} at the top of the flow file.`
            : `Did you mean \`${meant.name}\`, which is declared with this type?`,
      },
    ];
  });
}
