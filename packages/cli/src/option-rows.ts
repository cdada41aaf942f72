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

/** How tasks are run and the run is shown. */
export const RUNNING: readonly OptionRow[] = [
  {
    name: "jobs",
    short: "n",
    value: "N",
    help: "tasks at once; without it cpus and memory decide",
  },
  { name: "keep-going", short: "k", help: "after a failure go on with what does not depend on it" },
  { name: "fail-fast", help: "after a failure stop the tasks that run" },
  { name: "gpus", value: "LIST", help: "GPUs to use: `0,1` or `none`" },
  { name: "retries", value: "N", help: "retries for tasks that say nothing about retries" },
  { name: "timeout", value: "D", help: "time limit for tasks without one: `90s`, `2h`" },
  { name: "detach", help: "start the run in the background and return" },
  {
    name: "output",
    value: "MODE",
    choices: ["auto", "live", "plain", "quiet", "json"],
    help: "how to show the run: auto, live, plain, quiet or json (env FLOW_OUTPUT)",
  },
  { name: "json", help: "the same as --output json" },
  { name: "report-json", value: "FILE", help: "also write the run's events to FILE as JSON lines" },
  { name: "verbose", short: "v", help: "say why each task runs" },
  { name: "quiet", short: "q", help: "show failures only; the same as --output quiet" },
];

/** What decides which tasks run, shared by `run`, `plan` and `why`. */
export const SELECTION: readonly OptionRow[] = [
  { name: "force", help: "run the selected tasks even if they are fresh" },
  { name: "only", help: "run the selected tasks without what they depend on" },
  { name: "failed", help: "select the tasks that did not finish last time" },
  { name: "backend", value: "NAME", help: "run every task on this backend" },
  {
    name: "rebuild-modified",
    help: "rebuild targets that were edited by hand instead of keeping them",
  },
  { name: "strict", help: "a target edited by hand is an error" },
];

/** Where the letter means something else. */
export function withoutShort({ short: _letter, ...row }: OptionRow): OptionRow {
  return row;
}
