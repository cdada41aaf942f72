// A quick yes for what is plainly right: a test made from a schema that looks at the nodes of a
// document themselves, without turning them into data first. "No" only means that the schema itself
// has to be asked, which also says what is wrong.

import type * as z from "zod";
import type { Node } from "../document/node.ts";

/** True: the schema takes the node. False: it may or may not. */
export type Accepts = (node: Node) => boolean;

const unsure: Accepts = () => false;

/** The quick test for a schema. What it does not know about a schema it is unsure of. */
export function acceptsOf(schema: z.core.$ZodType): Accepts {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if ((def.checks?.length ?? 0) > 0) return unsure;
  switch (def.type) {
    case "string":
      return "format" in def ? unsure : isText;
    case "number":
      return "format" in def ? unsure : isNumber;
    case "boolean":
      return (node) => node.kind === "scalar" && typeof node.value === "boolean";
    case "null":
      return isNull;
    case "unknown":
      return () => true;
    case "enum":
      return isOneOf(Object.values(def.entries));
    case "literal":
      return isOneOf(def.values);
    case "optional":
      return acceptsOf(def.innerType);
    case "nullable": {
      const inner = acceptsOf(def.innerType);
      return (node) => isNull(node) || inner(node);
    }
    case "union": {
      return isAnyOf(def.options.map(acceptsOf));
    }
    case "array": {
      const element = acceptsOf(def.element);
      return isListOf(element);
    }
    case "record":
      return acceptsRecord(def);
    case "object":
      return acceptsObject(def);
    default:
      return unsure;
  }
}

const isText: Accepts = (node) => node.kind === "scalar" && typeof node.value === "string";

const isNumber: Accepts = (node) => node.kind === "scalar" && Number.isFinite(node.value);

const isNull: Accepts = (node) => node.kind === "scalar" && node.value === null;

// Plain loops: these run for every value of every task.

function isAnyOf(options: readonly Accepts[]): Accepts {
  return (node) => {
    for (const accepts of options) if (accepts(node)) return true;
    return false;
  };
}

function isListOf(element: Accepts): Accepts {
  return (node) => {
    if (node.kind !== "list") return false;
    for (const item of node.items) if (!element(item)) return false;
    return true;
  };
}

function isOneOf(values: Iterable<unknown>): Accepts {
  const known = new Set(values);
  return (node) => node.kind === "scalar" && known.has(node.value);
}

function acceptsRecord({ keyType, valueType }: z.core.$ZodRecordDef): Accepts {
  const { def } = keyType._zod;
  const isFree = def.type === "string" && (def.checks?.length ?? 0) === 0 && !("format" in def);
  if (!isFree) return unsure;
  const value = acceptsOf(valueType);
  return (node) => {
    if (node.kind !== "map") return false;
    for (const entry of node.entries.values()) if (!value(entry.value)) return false;
    return true;
  };
}

/** A key that the schema does not name makes it unsure. */
function acceptsObject({ shape }: z.core.$ZodObjectDef): Accepts {
  const tests = new Map(Object.entries(shape).map(([key, schema]) => [key, acceptsOf(schema)]));
  const needed = Object.keys(shape).filter((key) => shape[key]?._zod.optin !== "optional");
  return (node) => {
    if (node.kind !== "map") return false;
    for (const [key, { value }] of node.entries) {
      if (tests.get(key)?.(value) !== true) return false;
    }
    for (const key of needed) if (!node.entries.has(key)) return false;
    return true;
  };
}
