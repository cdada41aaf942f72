// Plain data with templates in its texts, such as a backend's options.

import type { Node } from "../document/node.ts";
import type { Filling } from "./template.ts";
import { fillText } from "./template.ts";

/** A node as data; numbers and booleans stay what they are. */
export function fillData(node: Node, filling: Filling): unknown {
  if (node.kind === "scalar") {
    return typeof node.value === "string" ? fillText(node, filling) : node.value;
  }
  if (node.kind === "list") return node.items.map((item) => fillData(item, filling));
  const value: Record<string, unknown> = {};
  for (const [key, entry] of node.entries) value[key] = fillData(entry.value, filling);
  return value;
}
