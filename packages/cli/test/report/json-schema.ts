// As much of JSON Schema as the schema of events uses.

export interface JsonSchema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly oneOf?: readonly JsonSchema[];
}

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === "string",
  number: (value) => typeof value === "number",
  integer: (value) => Number.isInteger(value),
  boolean: (value) => typeof value === "boolean",
  array: (value) => Array.isArray(value),
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};

/** Places where a value does not follow the schema; none when it does. */
export function violations(schema: JsonSchema, value: unknown, at = "line"): readonly string[] {
  const found: string[] = [];
  if (schema.type !== undefined && TYPES[schema.type]?.(value) !== true) {
    found.push(`${at} is no ${schema.type}`);
  }
  if ("const" in schema && value !== schema.const) {
    found.push(`${at} is not ${JSON.stringify(schema.const)}`);
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) found.push(`${at} is no choice`);
  if (Array.isArray(value)) {
    const items = schema.items;
    if (items !== undefined) for (const item of value) found.push(...violations(items, item, at));
    if (value.length < (schema.minItems ?? 0)) found.push(`${at} is too short`);
    if (value.length > (schema.maxItems ?? Number.POSITIVE_INFINITY))
      found.push(`${at} is too long`);
  } else if (typeof value === "object" && value !== null) {
    found.push(...objectViolations(schema, value as Record<string, unknown>, at));
  }
  if (schema.oneOf !== undefined) {
    const matching = schema.oneOf.filter((one) => violations(one, value, at).length === 0);
    if (matching.length !== 1) found.push(`${at} fits ${matching.length} of its forms`);
  }
  return found;
}

function objectViolations(
  { properties = {}, required = [], additionalProperties }: JsonSchema,
  value: Readonly<Record<string, unknown>>,
  at: string,
): readonly string[] {
  const missing = required.filter((name) => value[name] === undefined);
  const wrong = Object.entries(value).flatMap(([name, member]) => {
    const schema = properties[name] ?? additionalProperties;
    const isGiven = schema !== undefined && member !== undefined;
    return isGiven ? violations(schema, member, `${at}.${name}`) : [];
  });
  return [...missing.map((name) => `${at}.${name} is missing`), ...wrong];
}
