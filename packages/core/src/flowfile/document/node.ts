// A parsed YAML or JSON document: values with their places and, for scalars, their text as written,
// so that `10.` and `1e-3` reach programs unchanged. Both readers make these nodes.

import type { Span } from "../../model/task.ts";

export type Node = ScalarNode | ListNode | MapNode;

interface Place {
  /** Index of the source file. */
  readonly file: number;
  /** Half-open range of offsets in it. A node behind an alias lies at its anchor. */
  readonly start: number;
  readonly end: number;
}

export interface ScalarNode extends Place {
  readonly kind: "scalar";
  /** What the text means by YAML 1.2's core schema. */
  readonly value: string | number | boolean | null;
  /** As written, without quotes and escapes. */
  readonly text: string;
}

export interface ListNode extends Place {
  readonly kind: "list";
  readonly items: readonly Node[];
}

export interface MapNode extends Place {
  readonly kind: "map";
  /** In the order of the file. */
  readonly entries: ReadonlyMap<string, MapEntry>;
}

export interface MapEntry {
  readonly key: ScalarNode;
  readonly value: Node;
}

/** The place of a node as a span. */
export const spanOf = (node: Node): Span => ({ file: node.file, start: node.start, end: node.end });

/** The value of a map's key; undefined when the node is no map or has no such key. */
export const child = (node: Node | undefined, key: string): Node | undefined =>
  node?.kind === "map" ? node.entries.get(key)?.value : undefined;

const NO_NODES: readonly Node[] = [];

/** A node as a list: itself when it is one, else a list of the one. */
export const asList = (node: Node | undefined): readonly Node[] =>
  node === undefined ? NO_NODES : node.kind === "list" ? node.items : [node];

/** The entries of a map, none for other nodes. */
export const entriesOf = (node: Node | undefined): Iterable<[string, MapEntry]> =>
  node?.kind === "map" ? node.entries : [];

/** The text of a scalar; empty for other nodes (which the schema has refused). */
export const textOf = (node: Node): string => (node.kind === "scalar" ? node.text : "");

/** Is this `key:` with nothing behind it? */
export const isEmpty = (node: Node): boolean => node.kind === "scalar" && node.value === null;

/** Can `text` be an argument, a path or a variable? NUL and halves of characters cannot. */
export const isUsableText = (text: string): boolean => !/[\0\p{Surrogate}]/u.test(text);

/** A node as plain data, for schemas. */
export function toValue(node: Node): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(toValue);
  const object: Record<string, unknown> = {};
  for (const [key, entry] of node.entries) object[key] = toValue(entry.value);
  return object;
}

/** What a node is, in words for messages: "text `abc`", "the number 5", "a list". */
export function describe(node: Node): string {
  if (node.kind !== "scalar") return node.kind === "list" ? "a list" : "a map";
  if (node.value === null) return "nothing";
  const text = node.text.length > 40 ? `${node.text.slice(0, 40)}…` : node.text;
  const shown = `\`${text.replaceAll("\n", "\\n")}\``;
  if (typeof node.value === "string") return `text ${shown}`;
  return typeof node.value === "number" ? `the number ${shown}` : shown;
}

/**
 * The place of a piece of a scalar's text, such as a template in it, found in the source again; the
 * whole scalar when escapes or folding make it look different there.
 */
export function placeWithin(node: Node, source: string, piece: string, nth = 0): Span {
  let at = node.start - 1;
  for (let count = 0; count <= nth; count += 1) {
    at = source.indexOf(piece, at + 1);
    if (at === -1 || at + piece.length > node.end) return spanOf(node);
  }
  return { file: node.file, start: at, end: at + piece.length };
}
