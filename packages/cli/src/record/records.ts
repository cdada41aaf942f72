// The records of a project for the verbs that ask them. A flow file is not needed, and may be wrong:
// records lie in `.flow/`.

import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import {
  compileGlob,
  didYouMean,
  err,
  FieldNames,
  isGlob,
  joinAttempts,
  type Layout,
  layout,
  nodeFileSystem,
  ok,
  openGraph,
  type QueryProblem,
  type Result,
  type RunRecord,
  readAttempt,
  readRecords,
  readSeries,
  type MetricPoint,
  recordFilter,
} from "@flow/core";
import { findFlowFile } from "@flow/core/fresh";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { workingDirectory } from "../run/request.ts";

export interface OpenedRecords {
  readonly layout: Layout;
  /** Every attempt. */
  readonly attempts: readonly RunRecord[];
  /** Attempts that continued one another taken together. */
  readonly records: readonly RunRecord[];
}

/**
 * Reads all records of the project; or prints what is wrong and gives the exit code. With `remember`
 * the cache learns what was read, otherwise nothing is written.
 */
export async function openRecords(
  invocation: Invocation,
  io: Io,
  remember = false,
): Promise<Result<OpenedRecords, ExitCode>> {
  const root = await recordRoot(invocation, io);
  if (!root.ok) return root;
  const places = layout(root.value);
  const { byTask, damaged } = readRecords(places, nodeFileSystem, { wall: Date.now(), remember });
  for (const path of damaged.slice(0, MOST_DAMAGED)) {
    io.stderr.write(`flow: ${path} is damaged; what it said is left out\n`);
  }
  if (damaged.length > MOST_DAMAGED) {
    io.stderr.write(`flow: … and ${damaged.length - MOST_DAMAGED} more\n`);
  }
  return ok({
    layout: places,
    attempts: byTask.flat(),
    records: byTask.flatMap(joinAttempts),
  });
}

/** Names of damaged files before the rest is only counted. */
const MOST_DAMAGED = 5;

/** The folder with `.flow/`: that of the flow file, or the nearest one above. */
async function recordRoot(invocation: Invocation, io: Io): Promise<Result<string, ExitCode>> {
  const directory = workingDirectory(invocation, io);
  const named = invocation.value("file");
  const found = findFlowFile(directory, nodeFileSystem);
  const file =
    named !== undefined ? resolve(directory, named) : found.kind === "found" ? found.file : "";
  if (file !== "" && existsSync(`${dirname(file)}/.flow`)) return ok(dirname(file));
  if (file === "") {
    for (let at = directory; ; at = dirname(at)) {
      if (existsSync(`${at}/.flow`)) return ok(at);
      if (at === dirname(at)) break;
    }
  }
  const request = { directory, file: file || undefined, params: [], paramsFile: undefined };
  const opened = await openGraph({ ...request, env: io.env });
  if (opened.ok) return ok(opened.value.graph.project.root);
  io.stderr.write(
    `flow: there is no .flow/ in ${directory} or above it, so nothing is on record\n`,
  );
  return err(EXIT.usage);
}

/** The records that all of `terms` mean: expressions, or names of tasks, templates and runs. */
export function chooseRecords(
  terms: readonly string[],
  records: readonly RunRecord[],
): Result<readonly RunRecord[], QueryProblem> {
  let chosen = records;
  const names = new FieldNames(records);
  for (const term of terms) {
    const byName = nameFilter(term, records);
    if (byName !== undefined) {
      chosen = chosen.filter(byName);
      continue;
    }
    const filter = recordFilter(term, names);
    if (!filter.ok) return err(withNames(filter.error, records));
    chosen = chosen.filter(filter.value);
  }
  return ok(chosen);
}

function nameFilter(
  term: string,
  records: readonly RunRecord[],
): ((record: RunRecord) => boolean) | undefined {
  if (!/^[^\s()<>!&|'"]+$/.test(term)) return undefined;
  const glob = isGlob(term) ? compileGlob(term) : undefined;
  const isMeant = ({ task, template, run }: RunRecord): boolean =>
    task === term || template === term || run === term || glob?.matches(task) === true;
  return records.some(isMeant) ? isMeant : undefined;
}

/** A lone word that is no field may be the name of a task, misspelt. */
function withNames(problem: QueryProblem, records: readonly RunRecord[]): QueryProblem {
  if (/\s/.test(problem.text) || records.length === 0) return problem;
  const names = new Set(records.flatMap(({ task, template, run }) => [template, task, run]));
  const near = didYouMean(problem.text, names);
  return near === undefined ? problem : { ...problem, fix: near };
}

/** Says what is wrong with an expression, with the place under it. */
export function printQueryProblem({ text, start, end, message, fix }: QueryProblem, io: Io): void {
  const marks = `${" ".repeat(start)}${"^".repeat(Math.max(1, Math.min(end, text.length + 1) - start))}`;
  const help = fix === undefined ? "" : `\n${fix}`;
  io.stderr.write(`flow: ${message}\n  ${sanitizeLine(text)}\n  ${marks}${help}\n`);
}

/**
 * The record that `reference` names: `9dc21e9-1`, a task's key or name for its latest record,
 * `train#2` for an attempt. The error is a sentence.
 */
function findRecord(
  reference: string,
  { attempts, records }: OpenedRecords,
): Result<RunRecord, string> {
  const [, key, serial] = /^([0-9a-f]{4,16})-(\d+)$/.exec(reference) ?? [];
  const [, name, number] = /^(.+)#(\d+|last)$/.exec(reference) ?? [];
  const found = attempts.filter((record) => {
    if (key !== undefined) return record.key.startsWith(key) && record.serial === Number(serial);
    if (name === undefined) return names(record, reference);
    return names(record, name) && (number === "last" || record.serial === Number(number));
  });
  const tasks = new Set(found.map((record) => record.key));
  if (tasks.size > 1) {
    const some = [...new Set(found.map(({ task }) => task))].slice(0, 5);
    return err(
      `\`${reference}\` could be any of ${tasks.size} tasks: ${some.join(", ")}${tasks.size > 5 ? ", …" : ""}`,
    );
  }
  const last = found.at(-1);
  if (last !== undefined) return ok(whole(last, records));
  const near = didYouMean(name ?? reference, new Set(attempts.map(({ task }) => task)));
  return err(
    `no record is called \`${reference}\`. ${near ?? "`flow runs` lists them; the first column names them."}`,
  );
}

const names = ({ task, template, key }: RunRecord, text: string): boolean =>
  task === text || template === text || (/^[0-9a-f]{6,16}$/.test(text) && key.startsWith(text));

/** With the attempts that it went on from. */
const whole = (attempt: RunRecord, records: readonly RunRecord[]): RunRecord =>
  records.find(({ key, serial }) => key === attempt.key && serial === attempt.serial) ?? attempt;

/** Records that are named on a command line; or prints which are not there. */
export function findRecords(
  references: readonly string[],
  opened: OpenedRecords,
  io: Io,
): Result<readonly RunRecord[], ExitCode> {
  const found: RunRecord[] = [];
  for (const reference of references) {
    const record = findRecord(reference, opened);
    if (!record.ok) {
      io.stderr.write(`flow: ${record.error}\n`);
      return err(EXIT.usage);
    }
    found.push(record.value);
  }
  return ok(found);
}

/**
 * What one argument means where several records may be meant: a record, or else all that an
 * expression or the name of a template or run chooses. Prints what is wrong.
 */
export function chosenOrNamed(
  argument: string,
  opened: OpenedRecords,
  io: Io,
): Result<readonly RunRecord[], ExitCode> {
  const one = findRecord(argument, opened);
  if (one.ok) return ok([one.value]);
  const several = chooseRecords([argument], opened.records);
  if (several.ok && several.value.length > 0) return several;
  if (!several.ok && /\s/.test(argument)) printQueryProblem(several.error, io);
  else io.stderr.write(`flow: ${one.error}\n`);
  return err(EXIT.usage);
}

/** Metrics over time of all attempts in a record. */
export function seriesOf(record: RunRecord, places: Layout): readonly MetricPoint[] {
  return record.serials.flatMap((serial) => {
    const attempt = readAttempt(places, record.key, serial, nodeFileSystem);
    return attempt.record === undefined
      ? []
      : readSeries(attempt.record, attempt.directory, nodeFileSystem);
  });
}
