// The graph as text, Graphviz dot, Mermaid or JSON, with the members of a template drawn as one
// unless they are wanted one by one. Names are data: whatever they hold is escaped.

import type { Task } from "../model/task.ts";
import { neighbours } from "./adjacency.ts";
import type { TaskGraph } from "./build.ts";

/** The formats a graph can be written in. */
export const graphFormats = ["text", "dot", "mermaid", "json"] as const;

export type GraphFormat = (typeof graphFormats)[number];

export interface RenderOptions {
  readonly format: GraphFormat;
  /** Every member of a matrix by itself. @default false */
  readonly expand?: boolean;
  /** A word for a task (`fresh`); absent, or undefined for a task: none. */
  readonly status?: (task: Task) => string | undefined;
}

interface Box {
  /** Task's or template's name. */
  readonly name: string;
  readonly members: number;
  /** How many members have each status, in order of appearance. */
  readonly statuses: Map<string, number>;
}

interface Drawing {
  readonly boxes: readonly Box[];
  /** By index of boxes, from what is needed to what needs it. */
  readonly arrows: readonly {
    readonly from: number;
    readonly to: number;
    readonly orderOnly: boolean;
  }[];
}

/** Draws these tasks (by index, in the graph's order) with the edges between them. */
export function renderGraph(
  graph: TaskGraph,
  tasks: readonly number[],
  options: RenderOptions,
): string {
  const drawing = draw(graph, tasks, options);
  switch (options.format) {
    case "text":
      return renderText(drawing);
    case "dot":
      return renderDot(drawing);
    case "mermaid":
      return renderMermaid(drawing);
    case "json":
      return renderJson(drawing);
    default:
      return options.format satisfies never;
  }
}

function draw(graph: TaskGraph, tasks: readonly number[], options: RenderOptions): Drawing {
  const boxes: Box[] = [];
  const boxOfName = new Map<string, number>();
  const boxOfTask = new Map<number, number>();
  const arrows = new Map<string, { from: number; to: number; orderOnly: boolean }>();
  for (const index of tasks) {
    const task = graph.tasks[index];
    if (task === undefined) continue;
    const name = options.expand === true ? task.id : task.template;
    const number = boxOfName.get(name) ?? boxes.length;
    const known = boxes[number] ?? { name, members: 0, statuses: new Map() };
    const status = options.status?.(task);
    if (status !== undefined) known.statuses.set(status, (known.statuses.get(status) ?? 0) + 1);
    boxes[number] = { ...known, members: known.members + 1 };
    boxOfName.set(name, number);
    boxOfTask.set(index, number);
    for (const dependency of neighbours(graph.dependencies, index).slice().sort()) {
      const from = boxOfTask.get(dependency);
      if (from === undefined) continue;
      const source = graph.tasks[dependency]?.id ?? "";
      const orderOnly = graph.network.getEdgeAttribute(source, task.id, "orderOnly");
      const id = `${from} ${number}`;
      const arrow = arrows.get(id) ?? { from, to: number, orderOnly };
      arrows.set(id, { ...arrow, orderOnly: arrow.orderOnly && orderOnly });
    }
  }
  return { boxes, arrows: [...arrows.values()] };
}

/** `train ×9 (8 fresh, 1 stale)`. */
function label({ name, members, statuses }: Box): string {
  const size = members > 1 ? ` ×${members}` : "";
  if (statuses.size === 0) return printable(name) + size;
  const parts = [...statuses].map(([status, count]) =>
    members > 1 ? `${count} ${status}` : status,
  );
  return `${printable(name)}${size} (${printable(parts.join(", "))})`;
}

/** One line that does nothing to a terminal: control and direction characters become `?`. */
const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?");

/** One line a box, with what it needs; what is only waited for is in brackets. */
function renderText({ boxes, arrows }: Drawing): string {
  const needed = boxes.map((): string[] => []);
  for (const { from, to, orderOnly } of arrows) {
    const name = printable(boxes[from]?.name ?? "");
    if (from !== to) needed[to]?.push(orderOnly ? `[${name}]` : name);
  }
  const lines = boxes.map((box, index) => {
    const names = needed[index] ?? [];
    return names.length === 0 ? label(box) : `${label(box)} ← ${names.join(", ")}`;
  });
  return lines.map((line) => `${line}\n`).join("");
}

function renderDot({ boxes, arrows }: Drawing): string {
  const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
  const id = (index: number): string => quoted(printable(boxes[index]?.name ?? ""));
  const lines = [
    "digraph flow {",
    "  rankdir=LR;",
    "  node [shape=box];",
    ...boxes.map((box, index) => `  ${id(index)} [label=${quoted(label(box))}];`),
    ...arrows.map(
      ({ from, to, orderOnly }) =>
        `  ${id(from)} -> ${id(to)}${orderOnly ? " [style=dashed]" : ""};`,
    ),
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

function renderMermaid({ boxes, arrows }: Drawing): string {
  const escaped = (text: string): string =>
    text.replaceAll(/[#"&<>`\\]/g, (char) => `#${char.codePointAt(0) ?? 0};`);
  const lines = [
    "flowchart LR",
    ...boxes.map((box, index) => `  n${index}["${escaped(label(box))}"]`),
    ...arrows.map(({ from, to, orderOnly }) => `  n${from} ${orderOnly ? "-.->" : "-->"} n${to}`),
  ];
  return `${lines.join("\n")}\n`;
}

function renderJson({ boxes, arrows }: Drawing): string {
  const name = (index: number): string => boxes[index]?.name ?? "";
  const drawing = {
    nodes: boxes.map((box) => ({
      name: box.name,
      members: box.members,
      ...(box.statuses.size === 0 ? {} : { status: Object.fromEntries(box.statuses) }),
    })),
    edges: arrows.map(({ from, to, orderOnly }) => ({ from: name(from), to: name(to), orderOnly })),
  };
  return `${JSON.stringify(drawing, undefined, 2)}\n`;
}
