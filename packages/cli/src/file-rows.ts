// The verbs for flow files themselves and for flow: data only.

import type { CommandRow } from "./command-row.ts";
import { JSON_OPTION, PROJECT } from "./option-rows.ts";

export const FILE_ROWS: readonly CommandRow[] = [
  {
    name: "check",
    group: "file",
    summary: "check the flow file and run nothing",
    positionals: "[SEL…]",
    arity: [0, Number.POSITIVE_INFINITY],
    options: [...PROJECT, JSON_OPTION],
  },
  {
    name: "init",
    group: "file",
    summary: "write a small commented flow.yaml",
    positionals: "[DIR]",
    arity: [0, 1],
    options: [JSON_OPTION],
  },
  {
    name: "import",
    group: "file",
    summary: "a Batch AI job or an XT configuration as a flow file",
    positionals: "FILE",
    arity: [1, 1],
    options: [],
    details:
      "Prints a flow file for Azure Batch that means the same as a Batch AI `job.json` or an XT `xt_config.yaml`. " +
      "What cannot be carried over is said in comments at its top and on standard error.",
    examples: ["flow import job.json > train.flow.yaml", "flow import xt_config.yaml > flow.yaml"],
  },
  {
    name: "schema",
    group: "file",
    summary: "the JSON Schema of flow files",
    positionals: "",
    arity: [0, 0],
    options: [
      { name: "events", help: "the schema of --output json instead" },
      { name: "json", help: "nothing else: a schema is JSON anyway" },
    ],
  },
  {
    name: "version",
    group: "file",
    summary: "the version of flow",
    positionals: "",
    arity: [0, 0],
    options: [JSON_OPTION],
  },
  {
    name: "help",
    group: "file",
    summary: "help for a command",
    positionals: "[COMMAND]",
    arity: [0, 1],
    options: [],
  },
];
