/** `flow-file.md`, from the JSON Schema of flow files. */
import { code, GENERATED, page, table } from "./markdown.mjs";

/** Task keys in the order in which one thinks of them. The script fails when the schema has others. */
const GROUPS = {
  Identity: ["desc", "tags", "alias", "hidden", "matrix", "sweep", "each"],
  Inputs: ["deps", "after", "uses", "track"],
  Outputs: ["targets", "outputs", "checkpoint", "metrics", "values", "protect"],
  Work: ["actions", "finally", "env", "cwd", "interactive", "budget"],
  Freshness: ["always", "frozen", "fresh"],
  Policy: [
    "when",
    "require",
    "retries",
    "requeue",
    "requeue_codes",
    "max_requeues",
    "requeue_delay",
    "timeout",
    "hang_after",
    "stop",
    "allow_failure",
    "priority",
  ],
  Placement: [
    "resources",
    "pools",
    "backend",
    "container",
    "mounts",
    "local",
    "gpu",
    "slurm",
    "azure-batch",
  ],
  "Cleaning up": ["clean"],
};

export function flowFilePage({ jsonSchema }) {
  const schema = jsonSchema();
  const resolve = ({ $ref, ...rest }) =>
    $ref === undefined ? rest : { ...resolve(schema.$defs[$ref.split("/").at(-1)]), ...rest };
  const top = schema.properties;
  const [task] = resolve(resolve(top.tasks).additionalProperties).anyOf.map(resolve);
  const grouped = Object.values(GROUPS).flat();
  const keys = Object.keys(task.properties);
  const odd = [
    ...keys.filter((key) => !grouped.includes(key)),
    ...grouped.filter((key) => !keys.includes(key)),
  ];
  if (odd.length > 0) throw new Error(`flow-file-page.mjs: which group has ${odd.join(", ")}?`);
  const rows = (properties, names) =>
    names.flatMap((name) => keyRows(name, properties[name], resolve));
  return page(
    "# The flow file",
    GENERATED,
    "`*.flow.yaml`, YAML 1.2 or JSON. Unknown keys are errors; keys that start with `x-` are free. Paths are relative to the file. `flow schema` prints the JSON Schema this page is made from; an editor that knows it completes and checks:",
    "```yaml\n# yaml-language-server: $schema=./flow.schema.json\n```",
    "How the parts work together is told in [writing flow files](../guide/flow-files.md).",
    "## Project",
    table(HEAD, rows(top, Object.keys(top))),
    "## Tasks",
    ...Object.entries(GROUPS).flatMap(([title, names]) => [
      `### ${title}`,
      table(HEAD, rows(task.properties, names)),
    ]),
    "## Values",
    table(["kind", "written"], VALUES),
  );
}

/** Values that are described elsewhere on the page. */
const SAME_AS = {
  defaults: "map of [task keys](#tasks)",
  tasks: "map by name of [tasks](#tasks)",
  finally: "as `actions`",
  clean: "`targets`, `none`, or as `actions`",
};

const HEAD = ["key", "value", "meaning"];

const VALUES = [
  ["duration", "`90s`, `1h30m`, `2d`, `02:30:00`; a plain number is seconds"],
  ["size", "`500MB`, `16GiB`; a unit is needed"],
  ["range", "`1..5`, both ends included, as a whole value"],
  [
    "expression",
    '`params.lr < 0.1 and matrix.model == "cnn"`; see [conditions](../guide/parameters.md#conditions)',
  ],
  ["template", "`${{ params.x }}`; see [templates](../guide/flow-files.md#templates)"],
];

/** The key's row, and one for each key of the maps it may be. */
function keyRows(name, schema, resolve) {
  const resolved = resolve(schema);
  const nested = objectsIn(resolved, resolve).flatMap(({ properties }) =>
    Object.entries(properties),
  );
  const own = new Map(nested.map(([key, value]) => [key, resolve(value)]));
  const { description = "" } = resolved;
  const same = SAME_AS[name];
  if (same !== undefined) return [[code(name), same, description]];
  return [
    [code(name), typeOf(resolved, resolve), description],
    ...[...own].map(([key, value]) => [
      code(`${name}.${key}`),
      typeOf(value, resolve),
      value.description ?? "",
    ]),
  ];
}

/** The maps with known keys among what a value may be. */
function objectsIn(schema, resolve) {
  if (schema.properties !== undefined) return [schema];
  return [
    ...(schema.anyOf ?? []),
    ...(schema.items === undefined ? [] : [schema.items]),
    ...(typeof schema.additionalProperties === "object" ? [schema.additionalProperties] : []),
  ].flatMap((each) => objectsIn(resolve(each), resolve));
}

function typeOf(schema, resolve) {
  if (schema.const !== undefined) return code(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((each) => code(each)).join(", ");
  if (schema.anyOf !== undefined)
    return [...new Set(schema.anyOf.map((each) => typeOf(resolve(each), resolve)))].join(" or ");
  if (schema.type === "array") return `list${ofWhat(schema.items, resolve)}`;
  if (schema.type === "object")
    return schema.properties === undefined
      ? `map by name${ofWhat(schema.additionalProperties, resolve)}`
      : "map";
  return (Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type) ?? "any";
}

function ofWhat(schema, resolve) {
  const resolved = schema === undefined ? {} : resolve(schema);
  if (resolved.type === undefined && resolved.enum === undefined) return "";
  return Array.isArray(resolved.type) || resolved.type === "object"
    ? ""
    : ` of ${typeOf(resolved, resolve)}`;
}
