// The graph as a picture that needs no other program: layers from left to right, each node behind
// what it needs, edges as curves.

import { sanitizeLine } from "../report/sanitize.ts";
import { displayWidth } from "../report/width.ts";
import { COLORS, label, type NodeStatus } from "./formats.ts";
import type { GraphView } from "./view.ts";

const CHARACTER = 7.3;
const LINE = 17;
const PADDING = 10;
const GAP_X = 60;
const GAP_Y = 16;
const MARGIN = 16;
const NEUTRAL = ["#ffffff", "#444444"] as const;

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly lines: readonly string[];
  readonly colors: readonly [fill: string, line: string];
}

/** Scalable Vector Graphics, complete in itself. */
export function graphSvg(view: GraphView, status: NodeStatus): string {
  const boxes = layOut(view, status);
  const width = Math.max(0, ...boxes.map((box) => box.x + box.width)) + MARGIN;
  const height = Math.max(0, ...boxes.map((box) => box.y + box.height)) + MARGIN;
  const edges = view.edges.flatMap(({ from, to, orderOnly }) => {
    const [start, end] = [boxes[from], boxes[to]];
    return start === undefined || end === undefined ? [] : [curve(start, end, orderOnly)];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(height)}" font-family="ui-monospace, monospace" font-size="12">`,
    `<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#777777"/></marker></defs>`,
    ...edges,
    ...boxes.map(drawn),
    "</svg>\n",
  ].join("\n");
}

function layOut({ nodes, edges }: GraphView, status: NodeStatus): readonly Box[] {
  const layers = layersOf(nodes.length, edges);
  const sizes = nodes.map((node) => {
    const state = status(node);
    const lines = [label(node), ...(state === undefined ? [] : [sanitizeLine(state.text)])];
    const width = Math.max(...lines.map(displayWidth)) * CHARACTER + 2 * PADDING;
    const colors = state === undefined ? NEUTRAL : COLORS[state.style];
    return { lines, width, height: lines.length * LINE + 2 * PADDING - 4, colors };
  });
  const count = Math.max(-1, ...layers) + 1;
  const widths = Array.from({ length: count }, () => 0);
  for (const [index, { width }] of sizes.entries()) {
    const layer = layers[index] ?? 0;
    widths[layer] = Math.max(widths[layer] ?? 0, width);
  }
  const bottoms = Array.from({ length: count }, () => MARGIN);
  return sizes.map((size, index): Box => {
    const layer = layers[index] ?? 0;
    const x = widths.slice(0, layer).reduce((sum, width) => sum + width + GAP_X, MARGIN);
    const y = bottoms[layer] ?? MARGIN;
    bottoms[layer] = y + size.height + GAP_Y;
    return { ...size, x, y };
  });
}

/** Each node's distance from the start; edges lead to later nodes, but for what collapsing has bent back. */
function layersOf(size: number, edges: GraphView["edges"]): readonly number[] {
  const layers = Array.from({ length: size }, () => 0);
  for (const { from, to } of edges) {
    if (from < to) layers[to] = Math.max(layers[to] ?? 0, (layers[from] ?? 0) + 1);
  }
  return layers;
}

function curve(start: Box, end: Box, orderOnly: boolean): string {
  const [x1, y1] = [start.x + start.width, start.y + start.height / 2];
  const [x2, y2] = [end.x, end.y + end.height / 2];
  const bend = Math.max(GAP_X / 2, (x2 - x1) / 2);
  const path = [x1, y1, x1 + bend, y1, x2 - bend, y2, x2, y2].map(round);
  const [ax, ay, bx, by, cx, cy, dx, dy] = path;
  const dashes = orderOnly ? ' stroke-dasharray="4 3"' : "";
  return `<path d="M${ax} ${ay}C${bx} ${by} ${cx} ${cy} ${dx} ${dy}" fill="none" stroke="#777777"${dashes} marker-end="url(#end)"/>`;
}

function drawn({ x, y, width, height, lines, colors: [fill, line] }: Box): string {
  const texts = lines.map(
    (text, index) =>
      `<text x="${round(x + PADDING)}" y="${round(y + PADDING + 9 + index * LINE)}">${escaped(text)}</text>`,
  );
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" rx="6" fill="${fill}" stroke="${line}"/>${texts.join("")}`;
}

const round = (value: number): number => Math.round(value * 10) / 10;

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
