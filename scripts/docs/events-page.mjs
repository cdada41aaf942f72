/** `events.md`: the lines of `--output json`, from their schema. */
import { code, GENERATED, page, table } from "./markdown.mjs";

function typeOf(schema) {
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum !== undefined) return schema.enum.map((each) => code(each)).join(", ");
  if (schema.type === "array") return `list of ${typeOf(schema.items ?? {})}`;
  if (schema.type === "object" && schema.properties !== undefined)
    return `{ ${Object.keys(schema.properties).join(", ")} }`;
  return schema.type ?? "any";
}

const rowsOf = ({ properties, required = [] }, leaveOut) =>
  Object.entries(properties)
    .filter(([name]) => !leaveOut.includes(name))
    .map(([name, schema]) => [
      required.includes(name) ? code(name) : `${code(name)} (optional)`,
      typeOf(schema),
      schema.description ?? "",
    ]);

const HEAD = ["member", "type", "meaning"];

export function eventsPage({ eventSchema }) {
  const schema = eventSchema();
  const kinds = schema.oneOf.flatMap((each) => {
    const rows = rowsOf(each, ["type", "task", "template"]);
    return [
      `## ${each.properties.type.const}`,
      each.description,
      rows.length === 0 ? "" : table(HEAD, rows),
    ];
  });
  return page(
    "# Events of a run",
    GENERATED,
    "`flow run --output json` prints one JSON object per line; `--report-json FILE` writes the same lines beside any other output. `flow schema --events` prints the JSON Schema this page is made from. Members and types may be added; a member that changes its meaning raises `v`.",
    "Every line has these members, and those about a task also `task` (its name, with axes) and `template` (its name without axes):",
    table(HEAD, rowsOf(schema, [])),
    ...kinds,
  );
}
