// The top level of a flow file as a zod schema, and the JSON Schema made from it.

import * as z from "zod";
import type { FlowFile } from "./flow-file.ts";
import { envMap, oneOrMany, variableName } from "./parts.ts";
import { taskSchema } from "./task-schema.ts";

const param = z
  .unknown()
  .describe(
    "A value, nested values, or a definition `{type, default, min, max, choices, help}`, which is recognised by `type` or `default` and no other key.",
  );

/** Checks the shape of a whole flow file. */
export const fileSchema: z.ZodType<FlowFile> = z.strictObject({
  version: z.literal(1).optional().describe("The version of this format."),
  name: z.string().optional().describe("The project's name, for screens and records."),
  description: z.string().optional().describe("What the project does."),
  root: z
    .string()
    .optional()
    .describe("The project's folder, where `.flow/` lies; the folder of the flow file by default."),
  workspace: z.string().optional().describe("Groups experiments in records."),
  experiment: z.string().optional().describe("Groups runs in records."),
  include: z
    .record(z.string(), z.string())
    .optional()
    .describe("Other flow files by namespace; their tasks are `namespace/name`."),
  params: z
    .record(z.string(), param)
    .optional()
    .describe("Parameters, set with `-p name=value`; nested ones are addressed `a.b`."),
  env: envMap.optional().describe("Environment variables of every action; part of the recipe."),
  dotenv: oneOrMany(z.string()).optional().describe("Files of NAME=value lines that add to `env`."),
  shell: z
    .enum(["sh", "bash"])
    .optional()
    .describe("`sh` (run as `sh -e`, the default) or `bash` (run as `bash -eo pipefail`)."),
  defaults: taskSchema.optional().describe("Task keys that every task of this file starts from."),
  jobs: z.int().positive().optional().describe("Tasks at once, as `-n`."),
  pools: z
    .record(z.string(), z.number().nonnegative())
    .optional()
    .describe("Named capacities that tasks hold parts of while they run."),
  backends: z
    .record(z.string(), z.record(z.string(), z.unknown()))
    .optional()
    .describe(
      "Backends by name: `{type: local|gpu|slurm|azure-batch, …}` or `{use: package, options}`.",
    ),
  default: oneOrMany(z.string()).optional().describe("Selectors that run when none are given."),
  ignore: oneOrMany(z.string())
    .optional()
    .describe("Patterns left out of the content of directories, beside the built-in ones."),
  code: z
    .strictObject({
      include: oneOrMany(z.string()).optional().describe("Patterns of files that belong to it."),
      omit: oneOrMany(z.string()).optional().describe("Patterns of files that do not."),
    })
    .optional()
    .describe("What belongs to the captured code beside, and not, the tracked files."),
  compat: oneOrMany(
    z.enum(["xt", "batchai", "slurm", "azbatch", "torchelastic", "wandb", "mlflow"]),
  )
    .optional()
    .describe("Sets of alias variables programs get; `[xt, batchai]` by default."),
  secrets: oneOrMany(variableName())
    .optional()
    .describe("Environment variables passed through, never recorded or shown."),
  tasks: z.record(z.string(), taskSchema.nullable()).optional().describe("The tasks by name."),
});

/**
 * The JSON Schema of a flow file (draft 2020-12) with descriptions: what editors check against and
 * the reference is generated from.
 */
export function jsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(fileSchema, { io: "input", reused: "ref" });
  return { $id: "flow.schema.json", title: "flow file", ...allowExtensions(schema) };
}

/** Keys starting with `x-` are free in every map with fixed keys. */
function allowExtensions(node: object): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node)) {
    if (Array.isArray(value)) {
      copy[key] = value.map((item: unknown) =>
        typeof item === "object" && item !== null ? allowExtensions(item) : item,
      );
    } else {
      copy[key] = typeof value === "object" && value !== null ? allowExtensions(value) : value;
    }
  }
  if (copy["additionalProperties"] === false) copy["patternProperties"] = { "^x-": {} };
  return copy;
}
