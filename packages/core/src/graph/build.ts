// Turns expanded tasks into a graph: explicit references, order, used values and implicit edges
// from what tasks make to what others need. What cannot be a graph (a cycle, two makers of one
// path, a plain dep that nobody makes and that does not exist) comes back as diagnostics.

import { DirectedGraph } from "graphology";
import type { Diagnostic } from "../diagnostics/diagnostic.ts";
import type { TaskId } from "../model/ids.ts";
import type { Project } from "../model/project.ts";
import type { Result } from "../model/result.ts";
import { err, ok } from "../model/result.ts";
import type { Dep, Span, Task } from "../model/task.ts";
import type { FileSystem } from "../ports/file-system.ts";
import type { Adjacency } from "./adjacency.ts";
import { buildAdjacency } from "./adjacency.ts";
import { compileGlob } from "./glob.ts";
import { findMissing } from "./missing.ts";
import { shortestCycle, topologicalOrder } from "./order.ts";
import { findTemporary, type Temporary } from "./temporary.ts";
import type { Products } from "./products.ts";
import { indexProducts } from "./products.ts";

/** A node's attributes. */
interface NodeAttributes {
  /** Index into {@link TaskGraph.tasks}. */
  readonly index: number;
}

/** An edge from what is needed to what needs it. */
interface EdgeAttributes {
  /** Only the order matters: the results of the first task are no input of the second. */
  readonly orderOnly: boolean;
  /** Where it was written. */
  readonly span: Span;
  /** The path that makes it; absent for references and used values. */
  readonly path: string | undefined;
}

/** The checked graph of a project. Immutable. */
export interface TaskGraph {
  readonly project: Project;
  /** In file order; index i everywhere. */
  readonly tasks: readonly Task[];
  readonly indexOf: ReadonlyMap<TaskId, number>;
  /** Topological and otherwise in file order. */
  readonly order: Int32Array;
  readonly dependencies: Adjacency;
  readonly dependents: Adjacency;
  readonly products: Products;
  readonly temporary: readonly Temporary[];
  /**
   * Node keys are indices as text, for an id may be a name that every object inherits, as
   * `constructor`. Edges lead from needed to needing.
   */
  readonly network: DirectedGraph<NodeAttributes, EdgeAttributes>;
}

/** Builds and checks the graph. `fileSystem` tells which plain deps exist. */
export function buildGraph(
  project: Project,
  fileSystem: Pick<FileSystem, "stat" | "list">,
): Result<TaskGraph, readonly Diagnostic[]> {
  const { products, diagnostics: misplaced } = indexProducts(project);
  const diagnostics = [...misplaced];
  const connected = connect(project, products);
  diagnostics.push(...connected.diagnostics);
  diagnostics.push(...findMissing(project, products, fileSystem));
  const { temporary, diagnostics: misused } = findTemporary(project, products);
  diagnostics.push(...misused);

  const { network } = connected;
  const size = project.tasks.length;
  const from: number[] = [];
  const to: number[] = [];
  network.forEachEdge((_edge, _attributes, _source, _target, source, target) => {
    from.push(source.index);
    to.push(target.index);
  });
  const dependents = buildAdjacency(size, from, to);
  const dependencies = buildAdjacency(size, to, from);
  const order = topologicalOrder(size, dependencies, dependents);
  if (order.length < size) diagnostics.push(...describeCycle(project, network, order, dependents));
  if (diagnostics.length > 0) return err(diagnostics);
  return ok({
    project,
    tasks: project.tasks,
    indexOf: connected.indexOf,
    order,
    dependencies,
    dependents,
    products,
    temporary,
    network,
  });
}

type Network = DirectedGraph<NodeAttributes, EdgeAttributes>;

function connect(
  project: Project,
  products: Products,
): {
  readonly network: Network;
  readonly indexOf: ReadonlyMap<TaskId, number>;
  readonly diagnostics: readonly Diagnostic[];
} {
  const network: Network = new DirectedGraph({ allowSelfLoops: false });
  const indexOf = new Map<TaskId, number>();
  const diagnostics: Diagnostic[] = [];
  project.tasks.forEach(({ id }, index) => {
    network.addNode(String(index), { index });
    indexOf.set(id, index);
  });
  const add = (id: TaskId, task: Task, attributes: EdgeAttributes): void => {
    const index = indexOf.get(id);
    const [source, target] = [String(index), String(indexOf.get(task.id))];
    if (id === task.id) diagnostics.push(selfDependency(task, attributes));
    else if (index === undefined) diagnostics.push(unknownTask(task, id, attributes));
    else if (!network.hasEdge(source, target)) network.addEdge(source, target, attributes);
    else if (!attributes.orderOnly && network.getEdgeAttribute(source, target, "orderOnly")) {
      network.replaceEdgeAttributes(network.edge(source, target), attributes);
    }
  };
  for (const task of project.tasks) {
    for (const dep of task.deps) {
      const path = dep.kind === "glob" ? dep.pattern : dep.path;
      const attributes = { orderOnly: false, span: dep.span, path };
      if (dep.from !== undefined) add(dep.from, task, attributes);
      for (const product of makersOf(dep, products)) {
        const maker = project.tasks[product.task];
        if (maker !== undefined) add(maker.id, task, { ...attributes, path: product.path });
      }
    }
    for (const source of task.after) {
      add(source, task, { orderOnly: true, span: task.span, path: undefined });
    }
    for (const use of task.uses) {
      const attributes = { orderOnly: false, span: use.span, path: undefined };
      for (const source of use.from) add(source, task, attributes);
    }
  }
  return { network, indexOf, diagnostics };
}

const makersOf = (dep: Dep, products: Products): ReturnType<Products["at"]> =>
  dep.kind === "glob" ? products.matching(compileGlob(dep.pattern)) : products.at(dep.path);

function selfDependency(task: Task, { span, path }: EdgeAttributes): Diagnostic {
  const message =
    path === undefined
      ? `\`${task.id}\` depends on itself.`
      : `\`${task.id}\` depends on \`${path}\`, which it makes itself.`;
  const fix =
    path === undefined ? "Remove the reference." : "Narrow the dep, or write the target elsewhere.";
  return { code: "self-dependency", severity: "error", message, span, related: [], fix };
}

const unknownTask = (task: Task, source: string, { span }: EdgeAttributes): Diagnostic => ({
  code: "unknown-task",
  severity: "error",
  message: `\`${task.id}\` refers to \`${source}\`, which is no task of this project.`,
  span,
  related: [],
  fix: undefined,
});

/** The shortest cycle among the tasks that have no place in the order. */
function describeCycle(
  project: Project,
  network: Network,
  order: Int32Array,
  dependents: Adjacency,
): readonly Diagnostic[] {
  const placed = new Set(order);
  const suspects = project.tasks.flatMap((_task, index) => (placed.has(index) ? [] : [index]));
  const cycle = shortestCycle(dependents, suspects);
  if (cycle === undefined) return [];
  const ids = cycle.map((index) => project.tasks[index]?.id ?? "");
  const edges = ids.map((id, position) => {
    const following = (position + 1) % ids.length;
    const next = ids[following];
    const { span, path, orderOnly } = network.getEdgeAttributes(
      String(cycle[position]),
      String(cycle[following]),
    );
    const via = path === undefined ? (orderOnly ? " to be done first" : "") : ` for \`${path}\``;
    return { span, message: `\`${next}\` needs \`${id}\`${via}` };
  });
  return [
    {
      code: "cycle",
      severity: "error",
      message: `Tasks wait for each other: ${[...ids, ids[0] ?? ""].map((id) => `\`${id}\``).join(" → ")}.`,
      span: edges.at(-1)?.span,
      related: edges,
      fix: "Remove one of these dependencies.",
    },
  ];
}
