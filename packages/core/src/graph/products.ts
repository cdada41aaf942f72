// Who makes which path: targets, `values` files and checkpoint directories of all tasks, with the
// checks on them (inside the root, not flow's own files, no two overlapping) and the look-ups that
// turn a path, a directory or a glob into the tasks that make what lies there.

import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import type { Project } from "../model/project.ts";
import type { Span, Task } from "../model/task.ts";
import type { Glob } from "./glob.ts";
import { isWithin, parentOf, SortedPaths } from "./paths.ts";

/** One path a task makes. */
interface Product {
  readonly path: string;
  /** Index into the project's tasks. */
  readonly task: number;
  readonly role: "target" | "values" | "checkpoint";
  readonly kind: "file" | "directory";
  readonly span: Span;
}

/** Look-ups over what the tasks of a project make. Checkpoints are nobody's input and not found. */
export interface Products {
  /** All, by path. */
  readonly byPath: ReadonlyMap<string, Product>;
  /** What a dep on this path needs: the product there, around it, or else those below it. */
  at(path: string): readonly Product[];
  /** Products a glob matches or that are directories it may match inside. */
  matching(glob: Glob): readonly Product[];
}

/** Collects what every task makes; the diagnostics are errors. */
export function indexProducts(project: Project): {
  readonly products: Products;
  readonly diagnostics: readonly Diagnostic[];
} {
  const diagnostics: Diagnostic[] = [];
  const byPath = new Map<string, Product>();
  const checkpoints: Product[] = [];
  const files = [relativeTo(project.root, project.file), ...project.sources];
  const said = new Set<string>();
  const addOverlap = (one: Product, other: Product): void => {
    // Members of one template would each say the same of one line of the file.
    const templates = [one, other].map(({ task }) => project.tasks[task]?.template);
    const place = JSON.stringify([templates, one.span, other.span]);
    if (said.has(place)) return;
    said.add(place);
    diagnostics.push(overlap(project, one, other));
  };
  project.tasks.forEach((task, index) => {
    for (const product of productsOf(task, index)) {
      const misplaced = misplacement(product, task, files);
      const earlier = byPath.get(product.path);
      if (misplaced !== undefined) diagnostics.push(misplaced);
      else if (earlier !== undefined) {
        if (!isSameDeclaration(earlier, product)) {
          addOverlap(earlier, product);
        }
      } else {
        byPath.set(product.path, product);
        if (product.role === "checkpoint") checkpoints.push(product);
      }
    }
  });
  for (const [outer, inner] of findNested(byPath)) addOverlap(outer, inner);
  for (const checkpoint of checkpoints) byPath.delete(checkpoint.path);
  return { products: lookups(byPath), diagnostics };
}

/** Paths a task makes, in the order of the file. */
function* productsOf(task: Task, index: number): Generator<Product> {
  for (const { path, kind, span } of task.targets) {
    yield { path, task: index, role: "target", kind, span };
  }
  if (task.values !== undefined) {
    yield { path: task.values, task: index, role: "values", kind: "file", span: task.span };
  }
  const checkpoint = task.checkpoint?.path;
  if (checkpoint !== undefined) {
    yield { path: checkpoint, task: index, role: "checkpoint", kind: "directory", span: task.span };
  }
}

/** A values file may also be listed as a target of its own task. */
const isSameDeclaration = (one: Product, other: Product): boolean =>
  one.task === other.task && other.role === "values" && one.role === "target";

function misplacement(
  product: Product,
  task: Task,
  files: readonly string[],
): Diagnostic | undefined {
  const { path, role } = product;
  const what = role === "target" ? "target" : role === "values" ? "values file" : "checkpoint";
  const refuse = (why: string, fix: string): Diagnostic => ({
    code: "bad-target",
    severity: "error",
    message: `The ${what} \`${path}\` of \`${task.id}\` ${why}.`,
    span: product.span,
    related: [],
    fix,
  });
  if (path === "" || path === ".") {
    return refuse("is the project root itself", "Name a file or directory inside the root.");
  }
  if (path.startsWith("/") || path.startsWith("~") || path.split("/").includes("..")) {
    return refuse("lies outside the project root", "Write a path inside the root.");
  }
  if (isWithin(path, ".flow")) {
    return refuse("lies in `.flow/`, which is flow's own", "Write it somewhere else.");
  }
  const source = files.find((file) => isWithin(file, path));
  if (source !== undefined) {
    return refuse(`is or contains the flow file \`${source}\``, "Write it somewhere else.");
  }
  return undefined;
}

/** Products with another product among their ancestors. */
function* findNested(
  byPath: ReadonlyMap<string, Product>,
): Generator<readonly [outer: Product, inner: Product]> {
  const enclosing = new Map<string, Product | undefined>();
  for (const product of byPath.values()) {
    const outer = nearestEnclosing(parentOf(product.path), byPath, enclosing);
    if (outer === undefined) continue;
    const ofOneTask = outer.task === product.task;
    const isPlain = outer.role !== "checkpoint" && product.role !== "checkpoint";
    if (ofOneTask && isPlain && outer.kind === "directory") continue;
    yield [outer, product];
  }
}

/** The product at this directory or the nearest above it, remembered for every directory passed. */
function nearestEnclosing(
  directory: string,
  byPath: ReadonlyMap<string, Product>,
  known: Map<string, Product | undefined>,
): Product | undefined {
  const passed: string[] = [];
  let found: Product | undefined;
  for (let at = directory; at !== ""; at = parentOf(at)) {
    if (known.has(at)) {
      found = known.get(at);
      break;
    }
    passed.push(at);
    found = byPath.get(at);
    if (found !== undefined) break;
  }
  for (const path of passed) known.set(path, found);
  return found;
}

function overlap(project: Project, one: Product, other: Product): Diagnostic {
  const name = (product: Product): string => `\`${project.tasks[product.task]?.id ?? ""}\``;
  const label = (product: Product): string =>
    product.role === "checkpoint"
      ? `checkpoint directory \`${product.path}\` of ${name(product)}`
      : `\`${product.path}\`, made by ${name(product)}`;
  const message =
    one.path !== other.path
      ? `${capitalised(label(other))} lies inside ${label(one)}.`
      : one.task === other.task
        ? `${name(one)} names \`${one.path}\` twice.`
        : `Both ${name(one)} and ${name(other)} make \`${one.path}\`.`;
  const isOneLine = one.span.file === other.span.file && one.span.start === other.span.start;
  return {
    code: "overlapping-targets",
    severity: "error",
    message,
    span: other.span,
    related: isOneLine ? [] : [{ span: one.span, message: `${name(one)} is here` }],
    fix: distinction(project, one, other) ?? "Give each task paths of its own.",
  };
}

/** For members of one template: what tells them apart, to be written in the path. */
function distinction(project: Project, one: Product, other: Product): string | undefined {
  const [a, b] = [project.tasks[one.task], project.tasks[other.task]];
  if (a === undefined || b === undefined || a === b || a.template !== b.template) return undefined;
  const names = Object.keys(a.axes).filter((axis) => a.axes[axis] !== b.axes[axis]);
  if (names.length === 0) return undefined;
  const prefix = a.template.slice(0, a.template.lastIndexOf("/") + 1).replaceAll("/", ".");
  const templates = names.map((axis) =>
    Object.hasOwn(project.params, axis)
      ? `\${{ params.${axis.startsWith(prefix) ? axis.slice(prefix.length) : axis} }}`
      : `\${{ matrix.${axis} }}`,
  );
  return `Write ${templates.map((text) => `\`${text}\``).join(" and ")} in the path, so that each has its own.`;
}

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function lookups(byPath: ReadonlyMap<string, Product>): Products {
  let sorted: SortedPaths | undefined;
  const below = (prefix: string): Iterable<string> => {
    sorted ??= new SortedPaths(byPath.keys());
    return sorted.startingWith(prefix);
  };
  const enclosing = new Map<string, Product | undefined>();
  const pick = (paths: Iterable<string>, wanted: (product: Product) => boolean): Product[] => {
    const found: Product[] = [];
    for (const path of paths) {
      const product = byPath.get(path);
      if (product !== undefined && wanted(product)) found.push(product);
    }
    return found;
  };
  return {
    byPath,
    at: (path) => {
      const around = nearestEnclosing(path, byPath, enclosing);
      if (around !== undefined) return [around];
      return pick(below(path === "" ? "" : `${path}/`), () => true);
    },
    matching: (glob) => {
      const around = nearestEnclosing(glob.base, byPath, enclosing);
      if (around !== undefined) return [around];
      return pick(
        below(glob.prefix),
        ({ path, kind }) => glob.matches(path) || (kind === "directory" && glob.reaches(path)),
      );
    },
  };
}

/** `path` relative to `root`; as it is when it lies elsewhere. */
function relativeTo(root: string, path: string): string {
  return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path;
}
