// `flow run` beyond the case that nothing is to do: reads what the options say, opens the plan, runs it.

import { openGraph, openPlan, type PlanRequest, parseDuration, requestText } from "@flow/core";
import { collectEarlier } from "../engine.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { printDiagnostics } from "../project.ts";
import { NOTHING_FAILED } from "../report/nothing-to-do.ts";
import { outputMode } from "../report/reporter.ts";
import type { OpenedSearch } from "./conduct-search.ts";
import { detach } from "./detach.ts";
import { type ExecutionSettings, executePlan } from "./execute-plan.ts";
import { failedTasks } from "./failed-tasks.ts";
import { rerunIn } from "./request.ts";

/** Runs what `request` asks for; prints everything itself. `root`: where cached plans lie. */
export async function runPlan(
  invocation: Invocation,
  io: Io,
  request: PlanRequest,
  root: string | undefined,
): Promise<ExitCode> {
  collectEarlier();
  const numbers = await readNumbers(invocation);
  if ("problem" in numbers) {
    io.stderr.write(`flow: ${numbers.problem}\n`);
    return EXIT.usage;
  }
  const asked = invocation.has("failed") ? await failedTasks(request) : request;
  if (asked === undefined) {
    io.stderr.write(`${NOTHING_FAILED}\n`);
    return EXIT.ok;
  }
  let opened = await openPlan(asked, root);
  const searches = invocation.has("dry-run") ? [] : await neededSearches(asked, opened);
  if (searches.length > 0 && !invocation.has("detach")) {
    const { conductSearches } = await import("./conduct-search.ts");
    const settings = settingsOf(invocation, io, asked, numbers);
    const code = await conductSearches(searches, asked, settings, io);
    if (code !== EXIT.ok) return code;
    opened = await openPlan(asked, root);
  }
  if (!opened.ok) {
    printDiagnostics(opened.error, invocation, io);
    return EXIT.usage;
  }
  for (const warning of opened.value.warnings) io.stderr.write(`${warning}\n`);
  if (invocation.has("dry-run")) {
    const { showPlan } = await import("../commands/plan.ts");
    return showPlan(opened.value, invocation, io);
  }
  if (invocation.has("detach")) return detach(opened.value.plan.project.root, io);
  return executePlan(opened.value, settingsOf(invocation, io, asked, numbers), io);
}

/** Searches by another program that what is asked for waits for; their trials may not be there yet. */
async function neededSearches(
  request: PlanRequest,
  opened: Awaited<ReturnType<typeof openPlan>>,
): Promise<readonly OpenedSearch[]> {
  const graph = opened.ok ? undefined : await openGraph(request);
  const project = opened.ok
    ? opened.value.plan.project
    : graph?.ok
      ? graph.value.graph.project
      : undefined;
  const asked = request.selectors.length > 0 ? request.selectors : (project?.default ?? []);
  const templates = new Set([
    ...asked.map((selector) => selector.replace(/^\+|\+$|@.*$/g, "")),
    ...(opened.ok ? opened.value.plan.tasks.map(({ template }) => template) : []),
  ]);
  return (project?.searches ?? [])
    .filter(
      ({ template, users, hidden }) =>
        (asked.length === 0 && !hidden) ||
        templates.has(template) ||
        users.some((user) => templates.has(user)),
    )
    .map((search) => ({ search, root: project?.root ?? "" }));
}

type Limits = Pick<ExecutionSettings, "retries" | "timeoutMs" | "gpus">;
type Numbers = Limits & Pick<ExecutionSettings, "slots">;

function settingsOf(
  invocation: Invocation,
  io: Io,
  request: PlanRequest,
  numbers: Numbers,
): ExecutionSettings {
  const backend = invocation.value("backend");
  return {
    ...plainSettings(invocation, io),
    ...numbers,
    keepGoing: invocation.has("keep-going"),
    failFast: invocation.has("fail-fast"),
    force: invocation.has("force"),
    rebuildModified: invocation.has("rebuild-modified"),
    strict: invocation.has("strict"),
    rerun: rerunIn(invocation, backend === undefined ? [] : ["--backend", backend]),
    planOptions: request.options,
    request: requestText(request),
  };
}

/** What the options that every verb has say of a run of which nothing special is asked. */
export const plainSettings = (
  invocation: Invocation,
  io: Io,
): Omit<ExecutionSettings, keyof Numbers | "rerun"> => ({
  keepGoing: false,
  failFast: false,
  force: false,
  rebuildModified: false,
  strict: false,
  mode: outputMode(invocation, io),
  verbose: invocation.has("verbose"),
  color: invocation.value("color"),
  reportFile: invocation.value("report-json"),
  planOptions: {},
  request: undefined,
});

export async function readNumbers(
  invocation: Invocation,
): Promise<Numbers | { readonly problem: string }> {
  const jobs = invocation.value("jobs");
  if (jobs !== undefined && !/^[1-9]\d*$/.test(jobs)) {
    return { problem: `-n takes a whole number above 0, not \`${jobs}\`` };
  }
  const limits = await readLimits(invocation);
  return "problem" in limits
    ? limits
    : { ...limits, slots: jobs === undefined ? undefined : Number(jobs) };
}

/** `--retries`, `--timeout` and `--gpus`. */
export async function readLimits(
  invocation: Invocation,
): Promise<Limits | { readonly problem: string }> {
  const retries = invocation.value("retries");
  const timeout = invocation.value("timeout");
  if (retries !== undefined && !/^\d+$/.test(retries)) {
    return { problem: `--retries takes a whole number, not \`${retries}\`` };
  }
  const timeoutMs = timeout === undefined ? undefined : parseDuration(timeout);
  if (timeout !== undefined && timeoutMs === undefined) {
    return { problem: `--timeout takes a duration such as \`90s\` or \`2h\`, not \`${timeout}\`` };
  }
  const gpus = await readGpus(invocation);
  if ("problem" in gpus) return gpus;
  return { retries: retries === undefined ? undefined : Number(retries), timeoutMs, ...gpus };
}

/** `--gpus`. */
export async function readGpus(
  invocation: Invocation,
): Promise<Pick<Limits, "gpus"> | { readonly problem: string }> {
  const gpus = invocation.value("gpus");
  if (gpus === undefined) return { gpus };
  const { parseGpus } = await import("@flow/backend-gpu/client");
  return parseGpus(gpus) === undefined
    ? { problem: `--gpus takes \`none\`, a GPU, or a list such as \`0,1\`, not \`${gpus}\`` }
    : { gpus };
}
