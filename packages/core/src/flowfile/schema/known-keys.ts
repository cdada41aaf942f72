// The keys the schema knows at a place, for suggestions. Read from the JSON Schema, and only once
// something is wrong.

import { jsonSchema } from "./file-schema.ts";

type Schema = Readonly<Record<string, unknown>>;

let root: Schema | undefined;

/** Names of the keys that may stand in the map at `path`; empty where any key may. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] {
  root ??= jsonSchema();
  let schemas = alternatives(root, root);
  for (const part of path) {
    schemas = schemas
      .flatMap((schema) => inside(schema, part))
      .flatMap((one) => alternatives(one, root ?? {}));
  }
  return [
    ...new Set(schemas.flatMap((schema) => Object.keys(asSchema(schema["properties"]) ?? {}))),
  ];
}

function inside(schema: Schema, part: PropertyKey): readonly Schema[] {
  const next =
    typeof part === "number"
      ? schema["items"]
      : (asSchema(schema["properties"])?.[String(part)] ?? schema["additionalProperties"]);
  const found = asSchema(next);
  return found === undefined ? [] : [found];
}

/** A schema with its references followed and its unions opened. */
function alternatives(schema: Schema, top: Schema): readonly Schema[] {
  const reference = schema["$ref"];
  if (typeof reference === "string") {
    const target = asSchema(asSchema(top["$defs"])?.[reference.replace("#/$defs/", "")]);
    return target === undefined ? [] : alternatives(target, top);
  }
  const { anyOf } = schema;
  if (!Array.isArray(anyOf)) return [schema];
  return anyOf.flatMap((one: unknown) => {
    const found = asSchema(one);
    return found === undefined ? [] : alternatives(found, top);
  });
}

function asSchema(value: unknown): Schema | undefined {
  return typeof value === "object" && value !== null ? { ...value } : undefined;
}
