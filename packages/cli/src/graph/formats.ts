// Drawings of a graph: text for people, DOT and Mermaid for other programs, JSON for scripts.

import { type Paint, plainPaint, type Style } from "../report/color.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import type { GroupState } from "../report/state-signs.ts";
import { displayWidth, pad } from "../report/width.ts";
import type { GraphView, ViewNode } from "./view.ts";

/** A node's state; undefined without `--status`. */
export type NodeStatus = (node: ViewNode) => GroupState | undefined;

export interface TextOptions {
  readonly paint: Paint;
  readonly status: NodeStatus;
  readonly columns: number | undefined;
}

/**
 * A chain on one line when it is one and fits; else a node per line, each with what it needs:
 * `train ×9  ◄ prepare`.
 */
export function graphText(view: GraphView, options: TextOptions): string {
  if (view.nodes.length === 0) return "";
  const chain = chainText(view, options);
  if (chain !== undefined) return `${chain}\n`;
  const widest = Math.max(...view.nodes.map((node) => displayWidth(label(node))));
  const lines = view.nodes.map((node, index) => {
    const needs = needsText(view, index);
    const status = options.status(node);
    const arrow = needs === "" ? "" : `${options.paint("dim", "◄")} ${needs}`;
    const parts = [
      pad(label(node), widest),
      status === undefined ? "" : options.paint(status.style, status.text),
      arrow,
    ];
    return parts
      .filter((part) => part !== "")
      .join("  ")
      .trimEnd();
  });
  return `${lines.join("\n")}\n`;
}

/** More members of one template than this are told as their number. */
const MOST_MEMBERS = 3;

/** What a node needs: `prepare, train ×9, fetch (order)`. */
function needsText({ nodes, edges }: GraphView, index: number): string {
  const groups = new Map<string, string[]>();
  for (const { from, to, orderOnly } of edges) {
    const node = nodes[from];
    if (to !== index || node === undefined) continue;
    const order = orderOnly ? " (order)" : "";
    const template = `${node.tasks[0]?.template ?? node.name}\n${order}`;
    const names = groups.get(template) ?? [];
    groups.set(template, [...names, sanitizeLine(node.name) + order]);
  }
  const texts = [...groups].flatMap(([key, names]) => {
    if (names.length <= MOST_MEMBERS) return names;
    const [template = "", order = ""] = key.split("\n");
    return `${sanitizeLine(template)} ×${names.length}${order}`;
  });
  return texts.join(", ");
}

function chainText(
  { nodes, edges }: GraphView,
  { paint, status, columns }: TextOptions,
): string | undefined {
  const isChain =
    edges.length === nodes.length - 1 &&
    edges.every(({ from, to, orderOnly }) => to === from + 1 && !orderOnly);
  if (!isChain) return undefined;
  const draw = (style: Paint): string =>
    nodes
      .map((node) => {
        const state = status(node);
        return label(node) + (state === undefined ? "" : ` ${style(state.style, state.text)}`);
      })
      .join(` ${style("dim", "──►")} `);
  return columns !== undefined && displayWidth(draw(plainPaint)) > columns
    ? undefined
    : draw(paint);
}

/** A node's name, with the number of its tasks when there are several. */
export const label = ({ name, tasks }: ViewNode): string =>
  tasks.length > 1 ? `${sanitizeLine(name)} ×${tasks.length}` : sanitizeLine(name);

/** Fill and line of a node in a drawing. */
export const COLORS: Readonly<Record<Style, readonly [fill: string, line: string]>> = {
  good: ["#dcf5e1", "#2a7d3f"],
  bad: ["#fbdcdc", "#b3261e"],
  warn: ["#fdf0cd", "#946200"],
  active: ["#d9ecfb", "#1565a8"],
  blocked: ["#f2def5", "#7b2d8b"],
  dim: ["#f1f1f1", "#777777"],
  strong: ["#ffffff", "#000000"],
};

/** Graphviz. */
export function graphDot(view: GraphView, status: NodeStatus): string {
  const quoted = (text: string): string =>
    `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  const nodes = view.nodes.map((node) => {
    const state = status(node);
    if (state === undefined) return `  ${quoted(node.name)} [label=${quoted(label(node))}];`;
    const text = `${quoted(label(node)).slice(0, -1)}\\n${quoted(state.text).slice(1)}`;
    const [fill, line] = COLORS[state.style];
    const style = `style="rounded,filled", fillcolor="${fill}", color="${line}"`;
    return `  ${quoted(node.name)} [label=${text}, ${style}];`;
  });
  const edges = view.edges.map(({ from, to, orderOnly }) => {
    const style = orderOnly ? " [style=dashed]" : "";
    return `  ${quoted(view.nodes[from]?.name ?? "")} -> ${quoted(view.nodes[to]?.name ?? "")}${style};`;
  });
  const head = ["digraph flow {", "  rankdir=LR;", "  node [shape=box, style=rounded];"];
  return `${[...head, ...nodes, ...edges, "}"].join("\n")}\n`;
}

/** Mermaid. */
export function graphMermaid(view: GraphView, status: NodeStatus): string {
  const escaped = (text: string): string =>
    text.replaceAll(/[^A-Za-z0-9 ,.:/×_-]/gu, (character) => `#${character.codePointAt(0)};`);
  const styles = new Set<Style>();
  const nodes = view.nodes.map((node, index) => {
    const state = status(node);
    const lines = state === undefined ? [label(node)] : [label(node), state.text];
    if (state !== undefined) styles.add(state.style);
    const style = state === undefined ? "" : `:::${state.style}`;
    return `  n${index}["${lines.map(escaped).join("<br/>")}"]${style}`;
  });
  const classes = [...styles].map((style) => {
    const [fill, line] = COLORS[style];
    return `  classDef ${style} fill:${fill},stroke:${line}`;
  });
  const edges = view.edges.map(
    ({ from, to, orderOnly }) => `  n${from} ${orderOnly ? "-.->" : "-->"} n${to}`,
  );
  return `${["flowchart LR", ...nodes, ...edges, ...classes].join("\n")}\n`;
}

/** Nodes and edges by name. */
export function graphJson(view: GraphView, status: NodeStatus): object {
  return {
    nodes: view.nodes.map((node) => ({
      name: node.name,
      tasks: node.tasks.map(({ id }) => id),
      targets: node.tasks.flatMap(({ targets }) => targets.map(({ path }) => path)),
      backend: node.tasks[0]?.backend,
      status: status(node)?.counts,
    })),
    edges: view.edges.map(({ from, to, orderOnly }) => ({
      from: view.nodes[from]?.name,
      to: view.nodes[to]?.name,
      orderOnly,
    })),
  };
}
