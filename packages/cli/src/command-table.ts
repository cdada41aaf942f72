// Every verb of the command line with its arguments: data only. Parsing, help and the reference are
// made from it.

import type { CommandRow, OptionRow } from "./command-row.ts";
import { FILE_ROWS } from "./file-rows.ts";
import {
  DRY_RUN,
  JSON_OPTION,
  PROJECT,
  RUNNING,
  SELECTION,
  withoutShort,
  YES,
} from "./option-rows.ts";
import { PLACE_ROWS } from "./place-rows.ts";
import { RECORD_ROWS } from "./record-rows.ts";

const MANY = Number.POSITIVE_INFINITY;

/** Options every verb has. */
export const GLOBAL_OPTIONS: readonly OptionRow[] = [
  {
    name: "color",
    value: "WHEN",
    choices: ["auto", "always", "never"],
    help: "colours: auto, always or never",
  },
  { name: "help", short: "h", help: "show this help" },
];

const SELECTORS = "[SEL…]";

const RUN_ROWS: readonly CommandRow[] = [
  {
    name: "run",
    group: "run",
    summary: "run what changed",
    positionals: SELECTORS,
    arity: [0, MANY],
    options: [...PROJECT, ...RUNNING, ...SELECTION, DRY_RUN],
    details:
      "Runs the selected tasks and what they depend on, each only if it is not fresh. Without a " +
      "selector: the file's `default`, else all tasks. The first Ctrl-C asks the tasks to stop and " +
      "lets them save their state, the second kills them, the third leaves them running; the next " +
      "`flow run` goes on from there.",
    examples: [
      "flow run -n 9",
      "flow run 'train@model=cnn' -p epochs=5",
      "flow run train -p lr=0.1,0.01 -p seed=1..5",
      "flow run --failed -k",
    ],
  },
  {
    name: "exec",
    group: "run",
    summary: "run one command as a task",
    positionals: "-- COMMAND [ARG…]",
    arity: [1, MANY],
    passThrough: true,
    options: [
      ...PROJECT.filter(({ name }) => name === "dir"),
      ...RUNNING.filter(({ name }) => !["jobs", "keep-going", "fail-fast"].includes(name)),
      { name: "backend", value: "NAME", help: "run it on this backend" },
      { name: "name", value: "NAME", help: "the task's name; without it made from the command" },
      { name: "direct", help: "run the command as it is, without flow's environment" },
    ],
    details:
      "The command gets a record, logs, a checkpoint directory and all else that a task of a flow " +
      "file has. It always runs, and goes on from its checkpoint if an earlier one was stopped. " +
      "What it has written follows when it has ended.",
    examples: ["flow exec -- python train.py --lr 0.1"],
  },
  {
    name: "sub",
    group: "run",
    summary: "run every python line of a job script, one job per combination of its options",
    positionals: "SCRIPT [ARG…]",
    arity: [1, MANY],
    options: [
      ...PROJECT.filter(({ name }) => name === "dir"),
      ...RUNNING.filter(({ name }) => name !== "keep-going"),
      {
        name: "backend",
        value: "NAME",
        help: "run the jobs there; without it where the script's directives say",
      },
      { name: "force", help: "run jobs that have succeeded again" },
      DRY_RUN,
    ],
    details:
      "The script is run with python and its launchers (torchrun, accelerate, srun, …) replaced, so " +
      "that loops, variables and `cd` mean what they mean, and each command line becomes a job: " +
      "`python main.py optimizer.lr=10.,1. seed=1,2` is four, with `1..5` a range and `--lr=1,2` as " +
      "well. `#SBATCH` lines go to SLURM as they are; equal jobs are one array. A job that has " +
      "succeeded does not run again until its program changes. Each has a folder `logs/<id>` beside " +
      "the program with its script and its output.",
    examples: [
      "flow sub script.sh --dry-run",
      "flow sub script.sh",
      "flow sub --backend local -n 4 script.sh",
    ],
  },
  {
    name: "cancel",
    group: "run",
    summary: "stop running tasks",
    details:
      "Asks what runs of these tasks to stop, as the first Ctrl-C does, and waits for its end. A run " +
      "under way starts no more of them and goes on with the others.",
    positionals: "SEL…",
    arity: [1, MANY],
    options: [
      ...PROJECT,
      { name: "force", help: "kill them at once instead of asking them to stop" },
      JSON_OPTION,
    ],
  },
  {
    name: "attach",
    group: "run",
    summary: "follow a run that is under way",
    positionals: "[RUN]",
    arity: [0, 1],
    options: [
      ...PROJECT,
      ...RUNNING.filter(({ name }) => ["output", "json", "verbose", "quiet"].includes(name)),
    ],
    details:
      "Shows the run as the terminal that started it does. Ctrl-C ends the watching, not the run.",
  },
  {
    name: "drill",
    group: "run",
    summary: "test whether tasks survive being cut short",
    positionals: "SEL…",
    arity: [1, MANY],
    options: [
      ...PROJECT,
      { name: "backend", value: "NAME", help: "run it on this backend" },
      {
        name: "ways",
        value: "LIST",
        help: "only these: stop, cancel, limit, kill, leave",
      },
      {
        name: "at",
        value: "LIST",
        help: "at these moments: `50%` of the work, `3s` after its start",
      },
      { name: "keep", help: "leave the sandbox in `.flow/drill/`" },
      ...RUNNING.filter(({ name }) => name === "gpus"),
      JSON_OPTION,
    ],
    details:
      "Runs each task in a sandbox with its code as it is now: once undisturbed, then asked to stop " +
      "at several moments, cancelled, limited to half its time, killed without a warning, and left " +
      "by flow. Each time it has to end within its grace, to go on from its checkpoint, and to make " +
      "the same targets. Nothing in the project changes. Takes about ten times as long as the task, " +
      "so give long ones less to do with -p.",
    examples: ["flow drill train -p epochs=3", "flow drill train --ways stop,kill --at 30%,60%"],
  },
  ...PLACE_ROWS,
];

const LOOK_ROWS: readonly CommandRow[] = [
  {
    name: "plan",
    group: "look",
    summary: "what would run, why, in which order and how long",
    positionals: SELECTORS,
    arity: [0, MANY],
    options: [
      ...PROJECT,
      ...SELECTION,
      ...RUNNING.filter(({ name }) => name === "jobs"),
      { name: "check", help: "exit with 5 if anything would run" },
      {
        name: "requests",
        help: "print what would be sent to Azure Batch, as JSON and without secrets",
      },
      JSON_OPTION,
    ],
  },
  {
    name: "status",
    group: "look",
    summary: "the state of every task and of the runs under way",
    positionals: SELECTORS,
    arity: [0, MANY],
    options: [...PROJECT, { name: "expand", help: "one line per member of a matrix" }, JSON_OPTION],
  },
  {
    name: "why",
    group: "look",
    summary: "why a task would run, or where a file comes from",
    positionals: "SEL|FILE…",
    arity: [1, MANY],
    options: [...PROJECT, JSON_OPTION],
    details:
      "For a task: each reason with its old and new value. For a file: the task that makes it, " +
      "the command, its inputs and the run that made it last.",
  },
  {
    name: "list",
    group: "look",
    summary: "the tasks of the file",
    positionals: SELECTORS,
    arity: [0, MANY],
    options: [
      ...PROJECT,
      { name: "expand", help: "one line per member of a matrix" },
      { name: "all", short: "a", help: "hidden tasks too" },
      JSON_OPTION,
    ],
  },
  {
    name: "show",
    group: "look",
    summary: "the resolved definition of tasks, or a record in full",
    positionals: "SEL|RECORD…",
    arity: [1, MANY],
    options: [...PROJECT, JSON_OPTION],
    details:
      "A record is what `flow runs` calls it, such as `9dc21e9-1`; or `TASK#N` for an attempt of a " +
      "task, `TASK#last` for its latest.",
    examples: ["flow show train", "flow show 'train@seed=1#last'"],
  },
  {
    name: "graph",
    group: "look",
    summary: "the graph of tasks",
    positionals: SELECTORS,
    arity: [0, MANY],
    options: [
      ...PROJECT,
      {
        name: "format",
        value: "FORMAT",
        choices: ["text", "dot", "mermaid", "svg", "json"],
        help: "text (the default), dot, mermaid, svg or json",
      },
      { name: "expand", help: "one node per member of a matrix" },
      { name: "status", help: "with the state of each task" },
      { name: "json", help: "the same as --format json" },
    ],
    examples: ["flow graph", "flow graph --status --format svg > graph.svg"],
  },
  {
    name: "logs",
    group: "look",
    summary: "the output of a task",
    positionals: "SEL",
    arity: [1, 1],
    options: [
      ...PROJECT.map((row) => (row.name === "file" ? withoutShort(row) : row)),
      { name: "follow", short: "f", help: "go on as the task writes" },
      { name: "attempt", value: "N", help: "an earlier attempt; without it the latest" },
      { name: "err", help: "standard error only" },
      { name: "out", help: "standard output only" },
      { name: "lines", value: "N", help: "only the last N lines" },
      { name: "json", help: "both streams as JSON lines: task, attempt, stream, text" },
    ],
  },
  {
    name: "ps",
    group: "look",
    summary: "running tasks of this project",
    positionals: "",
    arity: [0, 0],
    options: [...PROJECT, JSON_OPTION],
  },
  {
    name: "history",
    group: "look",
    summary: "past runs",
    positionals: "",
    arity: [0, 0],
    options: [
      ...PROJECT,
      { name: "limit", value: "N", help: "at most N lines (20 without it)" },
      JSON_OPTION,
    ],
  },
];

const CHANGE_ROWS: readonly CommandRow[] = [
  {
    name: "clean",
    group: "change",
    summary: "remove what flow made, nothing else",
    positionals: SELECTORS,
    arity: [0, MANY],
    options: [
      ...PROJECT,
      { name: "deps", help: "also what the selected tasks depend on" },
      { name: "all", help: "all tasks, those no longer in the file, records of runs and caches" },
      { name: "stale", help: "only tasks that are no longer in the file" },
      DRY_RUN,
      YES,
      { name: "force", help: "also what is protected or has changed since it was made" },
      { name: "keep-records", help: "keep logs and records of attempts" },
      JSON_OPTION,
    ],
    details:
      "Without a selector: all tasks of the file. Removes only files that flow recorded as made by " +
      "it, that are still as they were made, and that lie inside the project; unknown files in a " +
      "target directory are listed and stay. The tasks are forgotten, so they would run again.",
    examples: ["flow clean --dry-run", "flow clean -y train", "flow clean --stale"],
  },
  {
    name: "forget",
    group: "change",
    summary: "forget that tasks ever ran; files stay",
    positionals: SELECTORS,
    arity: [0, MANY],
    options: [...PROJECT, { name: "all", help: "all tasks of the file" }, JSON_OPTION],
  },
  {
    name: "accept",
    group: "change",
    summary: "take targets as they are now for up to date",
    positionals: "SEL…",
    arity: [1, MANY],
    options: [...PROJECT, JSON_OPTION],
  },
  {
    name: "resolve",
    group: "change",
    summary: "say what became of a task whose state is unknown",
    positionals: "SEL",
    arity: [1, 1],
    options: [
      ...PROJECT,
      { name: "lost", help: "it is gone; it may run again" },
      { name: "done", help: "it succeeded; its targets are good" },
      JSON_OPTION,
    ],
  },
];

/** What people type instead of a verb. */
export const ALIASES: Readonly<Record<string, string>> = {
  "--help": "help",
  "-h": "help",
  "--version": "version",
  "-V": "version",
  query: "runs",
};

/** In the order of the help. */
export const COMMAND_TABLE: readonly CommandRow[] = [
  ...RUN_ROWS,
  ...LOOK_ROWS,
  ...RECORD_ROWS,
  ...CHANGE_ROWS,
  ...FILE_ROWS,
];
