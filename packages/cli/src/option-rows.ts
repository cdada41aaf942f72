// Options that several verbs share: data only.

import type { OptionRow } from "./command-row.ts";

/** Options of every verb that reads a project. */
export const PROJECT: readonly OptionRow[] = [
  {
    name: "file",
    short: "f",
    value: "FILE",
    help: "the flow file; without it `flow.yaml`, else the only `*.flow.yaml`, searched upward",
  },
  { name: "dir", short: "C", value: "DIR", help: "work as if started in DIR" },
  {
    name: "param",
    short: "p",
    value: "K=V",
    multiple: true,
    help: "set a parameter (also `K=V` alone); `1,2` and `1..5` sweep, `a|b=1|x,2|y` zips, `@rows.csv` reads rows, `\\,` is a comma",
  },
  { name: "params-file", value: "FILE", help: "read parameters from a YAML or JSON file" },
];

export const JSON_OPTION: OptionRow = { name: "json", help: "print JSON instead of text" };

export const YES: OptionRow = { name: "yes", short: "y", help: "do not ask" };

export const DRY_RUN: OptionRow = {
  name: "dry-run",
  help: "show what would be done, change nothing",
};

/** Options of verbs that ask records: a flow file is not needed for that. */
export const PLACE: readonly OptionRow[] = PROJECT.filter(({ name }) =>
  ["file", "dir"].includes(name),
);
