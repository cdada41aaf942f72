// The verbs that ask what is on record: data only.

import type { CommandRow } from "./command-row.ts";
import { DRY_RUN, JSON_OPTION, PLACE, PROJECT, RUNNING, YES } from "./option-rows.ts";

const MANY = Number.POSITIVE_INFINITY;

export const RECORD_ROWS: readonly CommandRow[] = [
  {
    name: "runs",
    group: "record",
    summary: "what was tried and what came of it",
    positionals: "[EXPR…]",
    arity: [0, MANY],
    options: [
      ...PLACE,
      {
        name: "all",
        short: "a",
        help: "a line for every attempt, also for those that were continued",
      },
      { name: "cols", value: "FIELDS", help: "these columns: `params.lr,metrics.acc.max,host`" },
      { name: "sort", value: "FIELD", help: "in this order; `-FIELD` for the largest first" },
      { name: "best", value: "max|min:FIELD", help: "only the best record, or that of each group" },
      { name: "per", value: "FIELDS", help: "the groups of --best" },
      {
        name: "group-by",
        value: "FIELDS",
        help: "a line for each group: how many, mean and deviation of the metrics, or of --cols",
      },
      { name: "limit", value: "N", help: "at most N lines (20 without it)" },
      { name: "ids", help: "only the names of the records, for other commands" },
      JSON_OPTION,
    ],
    details:
      "A record is an attempt of a task, with those it went on from. EXPR is an expression over " +
      "what is on record, such as `params.lr < 0.1 and metrics.acc.max > 0.9`, or the name of a " +
      "task, a template or a run; all must hold. `flow query` is the same command.",
    examples: [
      "flow runs train --sort -metrics.acc.max",
      "flow runs 'status == \"failed\" and duration > 1h'",
      "flow runs --best max:metrics.acc --per params.model",
      "flow runs --group-by params.lr",
    ],
  },
  {
    name: "compare",
    group: "record",
    summary: "in what records differ, down to the lines of code",
    positionals: "RECORD RECORD…",
    arity: [2, MANY],
    options: [
      ...PLACE,
      {
        name: "all",
        short: "a",
        help: "also what is the same, and every line of code that differs",
      },
      JSON_OPTION,
    ],
    details:
      "A record is what `flow runs` calls it, a task's name for its latest record, or `TASK#N`. The " +
      "code is compared as it was captured, so it need not be committed.",
    examples: ["flow compare 9dc21e9-1 9dc21e9-2", "flow compare 'train#1' 'train#last'"],
  },
  {
    name: "export",
    group: "record",
    summary: "records for other programs",
    positionals: "[EXPR…]",
    arity: [0, MANY],
    options: [
      ...PLACE,
      {
        name: "format",
        value: "FORMAT",
        choices: ["csv", "json", "mlxp"],
        help: "csv (the default), json with metrics over time, or mlxp: directories that MLXP reads",
      },
      { name: "to", value: "PATH", help: "write it there; without it to standard output" },
      { name: "cols", value: "FIELDS", help: "these columns of the CSV; without it all" },
      { name: "all", short: "a", help: "every attempt, also those that were continued" },
    ],
    details:
      "EXPR chooses as in `flow runs`. Exported to the same directory again, an MLXP run keeps its " +
      "number and new ones get the next.",
    examples: [
      "flow export --to runs.csv",
      "flow export train --format mlxp --to logs",
      "flow export 'status == \"success\"' --format json",
    ],
  },
  {
    name: "tag",
    group: "record",
    summary: "say something of a record",
    positionals: "RECORD|EXPR NAME[=VALUE]…",
    arity: [2, MANY],
    options: [...PLACE, { name: "remove", help: "take the tags away" }],
    details:
      "Tags are shown by `flow runs`; expressions know them as `tag.NAME`, and all their names as " +
      "`tags`. A program tags itself with an event of the kind `tag`.",
    examples: [
      "flow tag 9dc21e9-1 baseline note='the one in the paper'",
      "flow runs 'tags contains \"baseline\"'",
    ],
  },
  {
    name: "rm",
    group: "record",
    summary: "remove records and their logs; what tasks made stays",
    positionals: "RECORD|EXPR…",
    arity: [1, MANY],
    options: [...PLACE, DRY_RUN, YES],
    details:
      "Captured code that no record names any more goes, too. Nothing runs again because of it.",
    examples: ["flow rm 9dc21e9-1", "flow rm -y 'status == \"failed\" and tags == []'"],
  },
  {
    name: "rerun",
    group: "record",
    summary: "run a record's commands once more, with the code of then",
    positionals: "RECORD…",
    arity: [1, MANY],
    options: [
      ...PROJECT,
      ...RUNNING.filter(({ name }) =>
        [
          "gpus",
          "retries",
          "timeout",
          "output",
          "json",
          "report-json",
          "verbose",
          "quiet",
        ].includes(name),
      ),
    ],
    details:
      "Runs in a folder of its own below `.flow/reruns/`, so nothing in the project is touched; " +
      "inputs that are not code are linked to. Says whether the same targets came out. With -p the " +
      "flow file of then is read, and the task runs with its parameters of then but for these.",
    examples: ["flow rerun 9dc21e9-1", "flow rerun 'train#last' -p lr=0.05"],
  },
];
