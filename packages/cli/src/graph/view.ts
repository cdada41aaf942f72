// The graph as it is drawn: a matrix as one node, or every member by itself.

import { neighbours, type Task, type TaskGraph } from "@flow/core";

export interface ViewNode {
  /** A template's or a task's name. */
  readonly name: string;
  readonly tasks: readonly Task[];
}

interface ViewEdge {
  /** Indices into the nodes: what is needed, what needs it. */
  readonly from: number;
  readonly to: number;
  /** Only the order matters. */
  readonly orderOnly: boolean;
}

/** Nodes in an order in which they could run, as far as collapsing leaves one; edges by their ends. */
export interface GraphView {
  readonly nodes: readonly ViewNode[];
  readonly edges: readonly ViewEdge[];
}

/** `chosen`: indices of tasks; edges between others are left out. */
export function graphView(
  graph: TaskGraph,
  chosen: ReadonlySet<number>,
  isExpanded: boolean,
): GraphView {
  const nodes: { name: string; tasks: Task[] }[] = [];
  const numbers = new Map<string, number>();
  const nodeOf = new Map<number, number>();
  for (const index of graph.order) {
    const task = graph.tasks[index];
    if (task === undefined || !chosen.has(index)) continue;
    const name = isExpanded ? task.id : task.template;
    const number = numbers.get(name) ?? nodes.push({ name, tasks: [] }) - 1;
    numbers.set(name, number);
    nodes[number]?.tasks.push(task);
    nodeOf.set(index, number);
  }
  return { nodes, edges: edgesBetween(graph, nodeOf) };
}

function edgesBetween(graph: TaskGraph, nodeOf: ReadonlyMap<number, number>): readonly ViewEdge[] {
  const edges = new Map<string, ViewEdge>();
  for (const [index, to] of nodeOf) {
    for (const dependency of neighbours(graph.dependencies, index)) {
      const from = nodeOf.get(dependency);
      if (from === undefined || from === to) continue;
      const { orderOnly } = graph.network.getEdgeAttributes(String(dependency), String(index));
      const key = `${from} ${to}`;
      const known = edges.get(key);
      if (known === undefined || (known.orderOnly && !orderOnly)) {
        edges.set(key, { from, to, orderOnly });
      }
    }
  }
  return [...edges.values()].sort((a, b) => a.to - b.to || a.from - b.from);
}
