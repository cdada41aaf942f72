// The drill of one task: undisturbed first, then cut short in every way, each time in a new sandbox.

import {
  type OpenedPlan,
  type Result,
  err,
  ok,
  planRerun,
  type RecordedTask,
  layout,
} from "@flow/core";
import type { Io } from "../io.ts";
import { makeSandbox } from "../run/sandbox.ts";
import type { Scenario, Way } from "./scenario.ts";
import { type Cut, runTrial, type Trial, type TrialRequest } from "./trial.ts";
import {
  differingTargets,
  judge,
  judgeLimit,
  type Reference,
  targetsOf,
  type Verdict,
} from "./verdict.ts";

/** Part of the undisturbed time that the time limit leaves. */
const LIMIT_PART = 0.5;

export interface DrillRequest {
  readonly subject: RecordedTask;
  /** Name of the captured code. */
  readonly tree: string;
  /** Absolute; made anew for every trial. */
  readonly folder: string;
  readonly gpus: string | undefined;
  readonly scenarios: readonly Scenario[];
}

export interface DrillListener {
  reference(reference: Reference): void;
  verdict(scenario: Scenario, verdict: Verdict): void;
}

const CUTS: Readonly<Record<Exclude<Way, "limit">, Cut>> = {
  stop: (run) => run.stop("graceful", "preempt"),
  cancel: (run) => run.stop("graceful", "user"),
  kill: (run) => run.stop("forced", "preempt"),
  leave: (run) => run.leave("shutdown"),
};

/** True when the task passed everything. The error: why there is nothing to drill, in a sentence. */
export async function drillTask(
  request: DrillRequest,
  listener: DrillListener,
  io: Io,
): Promise<Result<boolean, string>> {
  const trial = (more: Partial<TrialRequest> = {}) => oneTrial(request, more, io);
  const undisturbed = await trial();
  if (!undisturbed.ok) return undisturbed;
  const reference = referenceOf(undisturbed.value.trial);
  if (reference === undefined) {
    return err("it fails even undisturbed; flow run shows how");
  }
  listener.reference(reference);
  let passed = true;
  let isSteady: boolean | undefined;
  for (const scenario of request.scenarios) {
    const verdict = await oneScenario(scenario, reference, request, io);
    if (!verdict.ok) return verdict;
    let judged = verdict.value;
    if (judged.problems.some((problem) => problem.startsWith("made other targets"))) {
      isSteady ??= await makesTheSame(reference, trial);
      if (!isSteady) judged = unsteady(judged);
    }
    listener.verdict(scenario, judged);
    passed &&= judged.result !== "fail";
  }
  return ok(passed);
}

function referenceOf(trial: Trial): Reference | undefined {
  const last = trial.attempts.at(-1);
  if (last?.outcome.type !== "success") return undefined;
  return {
    durationMs: last.durationMs ?? 0,
    progress: trial.progress,
    targets: targetsOf(trial),
  };
}

/** Whether an undisturbed run makes the same twice: else nothing can be said about another. */
async function makesTheSame(
  { targets }: Reference,
  trial: () => ReturnType<typeof oneTrial>,
): Promise<boolean> {
  const again = await trial();
  return again.ok && differingTargets(targets, targetsOf(again.value.trial)).length === 0;
}

function unsteady({ steps, problems }: Verdict): Verdict {
  const others = problems.filter((problem) => !problem.startsWith("made other targets"));
  const note = "its targets differ from run to run even undisturbed, so they were not compared";
  return {
    result: others.length === 0 ? "pass" : "fail",
    steps: [...steps, note],
    problems: others,
  };
}

interface Done {
  readonly trial: Trial;
  readonly opened: OpenedPlan;
}

/** In a new sandbox. */
async function oneTrial(
  { subject, tree, folder, gpus }: DrillRequest,
  more: Partial<TrialRequest>,
  io: Io,
): Promise<Result<Done, string>> {
  const made = makeSandbox(folder, { tree }, subject, layout(subject.root));
  if (!made.ok) return made;
  const plan = await planRerun({ record: subject, prefix: "", folder, params: [], env: io.env });
  if (!plan.ok) {
    return err(typeof plan.error === "string" ? plan.error : "its flow file cannot be read");
  }
  const opened = plan.value;
  const trial = await runTrial({ opened, gpus, ...more }, io);
  return trial.ok ? ok({ trial: trial.value, opened }) : trial;
}

async function oneScenario(
  scenario: Scenario,
  reference: Reference,
  request: DrillRequest,
  io: Io,
): Promise<Result<Verdict, string>> {
  const { way, at } = scenario;
  if (way === "limit" || at === undefined) {
    const timeoutMs = Math.max(1000, Math.round(reference.durationMs * LIMIT_PART));
    const limited = await oneTrial(request, { timeoutMs }, io);
    return limited.ok ? ok(judgeLimit(reference, limited.value.trial)) : limited;
  }
  const cut = { at, act: CUTS[way], wholeMs: reference.durationMs };
  const first = await oneTrial(request, { cut }, io);
  if (!first.ok) return first;
  const { trial, opened } = first.value;
  const rest = await runTrial({ opened, gpus: request.gpus }, io);
  if (!rest.ok) return rest;
  return ok(judge(scenario, reference, trial, rest.value, request.subject.task.stop.graceMs));
}
