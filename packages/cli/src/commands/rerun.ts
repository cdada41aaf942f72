// `flow rerun RECORD`: the same commands with the code of then, in a folder of its own; says whether
// the same came out.

import {
  type AttemptResult,
  attemptKey,
  type CodeState,
  type Layout,
  lastAttempt,
  nodeFileSystem,
  planRerun,
  type RunRecord,
  readAttempt,
  recordId,
  type StoredAttempt,
  withCodeOfRun,
} from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Command, Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { printDiagnostics } from "../project.ts";
import { findRecords, openRecords } from "../record/records.ts";
import { sanitizeLine } from "../report/sanitize.ts";
import { executePlan } from "../run/execute-plan.ts";
import { projectRequest } from "../run/request.ts";
import { plainSettings, readLimits } from "../run/run-plan.ts";
import { knownTree, makeSandbox } from "../run/sandbox.ts";

export const command: Command = async (invocation, io) => {
  const asked = projectRequest(invocation, io);
  const limits = await readLimits(invocation);
  if ("problem" in asked || "problem" in limits) {
    const { problem } = ("problem" in asked ? asked : limits) as { readonly problem: string };
    io.stderr.write(`flow: ${problem}\n`);
    return EXIT.usage;
  }
  const opened = await openRecords(invocation, io);
  if (!opened.ok) return opened.error;
  const found = findRecords(invocation.positionals, opened.value, io);
  if (!found.ok) return found.error;
  const { layout } = opened.value;
  for (const record of found.value) {
    const code = await rerun(record, asked.request.params, limits, layout, invocation, io);
    if (code !== EXIT.ok) return code;
  }
  return EXIT.ok;
};

type Params = Parameters<typeof planRerun>[0]["params"];
type Limits = Exclude<Awaited<ReturnType<typeof readLimits>>, { problem: string }>;

async function rerun(
  record: RunRecord,
  params: Params,
  limits: Limits,
  layout: Layout,
  invocation: Invocation,
  io: Io,
): Promise<ExitCode> {
  const stored = readAttempt(layout, record.key, record.serial, nodeFileSystem);
  const then = withCodeOfRun(stored, layout, nodeFileSystem);
  const code = codeOf(then);
  const refuse = (why: string): ExitCode => {
    io.stderr.write(`flow: ${recordId(record)} cannot be run again: ${why}\n`);
    return EXIT.usage;
  };
  if (then.record === undefined) return refuse("its record is gone");
  if (code === undefined) {
    return refuse(
      "its code was not kept; `flow run --force` runs the task with the code as it is now",
    );
  }
  const folder = `${layout.reruns}/${attemptKey(record.key, record.serial)}`;
  const made = makeSandbox(folder, code, then.record, layout);
  if (!made.ok) return refuse(made.error);
  const plan = await planRerun({
    record: then.record,
    prefix: "rerun/",
    folder,
    params,
    env: io.env,
  });
  if (!plan.ok) {
    if (typeof plan.error === "string") return refuse(plan.error);
    printDiagnostics(plan.error, invocation, io);
    return EXIT.usage;
  }
  const exit = await executePlan(
    plan.value,
    {
      ...plainSettings(invocation, io),
      ...limits,
      slots: 1,
      rerun: () => ["flow", "rerun", recordId(record)],
      sandbox: { project: layout.root, code: knownTree(code) },
    },
    io,
  );
  if (exit !== EXIT.ok) return exit;
  const key = plan.value.plan.tasks[0]?.key ?? record.key;
  const now = lastAttempt(layout, key, nodeFileSystem);
  sayWhatCameOut(then.result, now?.result, folder, io);
  const names = `${recordId(record)} ${recordId({ key, serial: now?.serial ?? 1 })}`;
  io.stderr.write(`flow compare ${names} tells all differences\n`);
  return EXIT.ok;
}

/** The state of the code whose contents are there; undefined when they are not. */
function codeOf({ record, result }: StoredAttempt): CodeState | undefined {
  return [record?.code, result?.code].find((code) => code?.kept === true);
}

function sayWhatCameOut(
  then: AttemptResult | undefined,
  now: AttemptResult | undefined,
  folder: string,
  io: Io,
): void {
  const digests = new Map(then?.trace?.targets.map(({ path, digest }) => [path, digest]));
  const targets = now?.trace?.targets ?? [];
  const differing = targets.filter(({ path, digest }) => digests.get(path) !== digest);
  const inputs = new Map(then?.trace?.deps.map(({ path, digest }) => [path, digest]));
  const changed = (now?.trace?.deps ?? []).filter(
    ({ path, digest }) => inputs.has(path) && inputs.get(path) !== digest,
  );
  const list = (files: readonly { readonly path: string }[]): string =>
    files.map(({ path }) => sanitizeLine(path)).join(", ");
  if (changed.length > 0) {
    io.stderr.write(`not the same inputs as then: ${list(changed)}\n`);
  }
  if (digests.size === 0) io.stderr.write("no targets are on record to compare with\n");
  else if (differing.length === 0) {
    io.stderr.write(`= the same targets as then: ${list(targets)}\n`);
  } else io.stderr.write(`≠ not the same as then: ${list(differing)}, now in ${folder}\n`);
}
