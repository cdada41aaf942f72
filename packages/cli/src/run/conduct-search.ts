// External searches: asks for trials, runs them, tells what they came to, until there are as many as
// the file says. Every answer and result is on disk before anything follows from it, so that a search
// that was interrupted goes on where it was.

import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  lastAttempt,
  layout,
  makeState,
  nodeFileSystem,
  type OpenedPlan,
  openPlan,
  type Plan,
  type PlanRequest,
  type Search,
  type SearchResult,
  type SearchTrial,
} from "@flow/core";
import { readSearchLog, searchLog } from "@flow/core/reading";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";
import { DETACHED_RUN } from "./detach.ts";
import { type ExecutionSettings, executePlan } from "./execute-plan.ts";
import { type Searcher, startSearcher } from "./searcher.ts";

/** A search of the project at `root`, absolute. */
export interface OpenedSearch {
  readonly search: Search;
  readonly root: string;
}

/** Runs a plan to its end. */
type RunBatch = (opened: OpenedPlan) => Promise<ExitCode>;

/** Conducts them one after another; the first that does not come to its end decides. */
export async function conductSearches(
  searches: readonly OpenedSearch[],
  request: PlanRequest,
  settings: ExecutionSettings,
  io: Io,
): Promise<ExitCode> {
  // Only the first run is the one that a `--detach` has announced.
  const { [DETACHED_RUN]: _, ...env } = io.env;
  let place = io;
  const run: RunBatch = async (opened) => {
    const here = place;
    place = { ...io, env };
    return executePlan(opened, { ...settings, keepGoing: true, request: undefined }, here);
  };
  for (const { search, root } of searches) {
    const code = await conductSearch(search, request, root, run, io);
    if (code !== EXIT.ok) return code;
  }
  return EXIT.ok;
}

/** Conducts one search; `ok` when it has all its trials, or its program has no more. */
async function conductSearch(
  search: Search,
  request: PlanRequest,
  root: string,
  run: RunBatch,
  io: Io,
): Promise<ExitCode> {
  const log = join(root, searchLog(search.key));
  const read = () => readSearchLog(existsSync(log) ? readFileSync(log, "utf8") : "");
  let searcher: Searcher | undefined;
  try {
    for (;;) {
      const { trials, results } = read();
      let open: readonly SearchTrial[] = trials.filter(({ trial }) => !results.has(trial));
      if (open.length === 0) {
        const wanted = Math.min(search.batch, search.trials - trials.length);
        if (wanted <= 0) return EXIT.ok;
        searcher ??= startSearcher(search, { trials, results }, root, io);
        const asked = await searcher.ask(wanted);
        if (!asked.ok) {
          io.stderr.write(`flow: ${asked.error}\n`);
          return EXIT.outside;
        }
        if (asked.value.length === 0) return EXIT.ok;
        const known = new Set(trials.map(({ trial }) => trial));
        const again = asked.value.find(({ trial }) => known.size === known.add(trial).size);
        if (again !== undefined) {
          io.stderr.write(
            `flow: the search for \`${search.template}\` gave a trial \`${again.trial}\`, which there is already; each needs a number of its own\n`,
          );
          return EXIT.outside;
        }
        open = asked.value;
        append(log, root, open);
      }
      const code = await runTrials(search, open, request, root, run, (result) => {
        append(log, root, [result]);
        searcher?.tell(result);
      });
      if (code !== EXIT.ok) return code;
    }
  } finally {
    await searcher?.close();
  }
}

function append(log: string, root: string, entries: readonly object[]): void {
  makeState(layout(root), nodeFileSystem);
  mkdirSync(dirname(log), { recursive: true });
  const before = existsSync(log) ? readFileSync(log, "utf8") : "";
  // A line that was being written when the power went must not swallow the next one.
  const start = before === "" || before.endsWith("\n") ? "" : "\n";
  const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
  appendFileSync(log, start + lines, {
    flush: true,
  });
}

/** Runs the open trials and tells of each that has ended; a failed one is a result, not a failure of the search. */
async function runTrials(
  { template, metric }: Search,
  open: readonly SearchTrial[],
  request: PlanRequest,
  root: string,
  run: RunBatch,
  tell: (result: SearchResult) => void,
): Promise<ExitCode> {
  const opened = await openPlan({ ...request, selectors: [template] }, undefined);
  if (!opened.ok) return EXIT.usage;
  const code = await run(opened.value);
  if (code !== EXIT.ok && code !== EXIT.failed) return code;
  for (const { trial, params } of open) {
    const ended = endsOf(opened.value.plan, template, params, metric, root);
    if (ended === undefined) return code === EXIT.ok ? EXIT.failed : code;
    tell({ tell: trial, ...ended });
  }
  return EXIT.ok;
}

/** What the tasks of a trial came to, on average; undefined while one has not ended. */
function endsOf(
  { tasks }: Plan,
  template: string,
  params: SearchTrial["params"],
  metric: string,
  root: string,
): Omit<SearchResult, "tell"> | undefined {
  const members = tasks.filter(
    (task) =>
      task.template === template &&
      Object.entries(params).every(([name, text]) => task.axes[name] === text),
  );
  const values: number[] = [];
  let state: SearchResult["state"] = "done";
  for (const { key } of members) {
    const result = lastAttempt(layout(root), key, nodeFileSystem)?.result;
    if (result === undefined) return undefined;
    const { type } = result.outcome;
    if (type === "pruned") state = "pruned";
    else if (type === "failed" || type === "oom") state = "failed";
    else if (type !== "success") return undefined;
    const value = result.metrics[metric]?.last;
    if (value !== undefined) values.push(value);
  }
  if (members.length === 0) return undefined;
  if (state === "failed" || values.length === 0) return { state: "failed" };
  return { state, value: values.reduce((sum, value) => sum + value, 0) / values.length };
}
