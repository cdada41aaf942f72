// What a drill's trials mean. Pure: facts in, sentences out.

import type { AttemptResult } from "@flow/core";
import { formatDuration } from "@flow/core";
import { describeOutcome } from "../report/run-view.ts";
import type { Scenario } from "./scenario.ts";
import type { Progress, Trial } from "./trial.ts";

/** `skip`: it could not be put to the test. */
export interface Verdict {
  readonly result: "pass" | "fail" | "skip";
  /** What happened, step by step. */
  readonly steps: readonly string[];
  /** Why it failed, and what to do; empty when it did not. */
  readonly problems: readonly string[];
}

/** The undisturbed run that the others are measured by. */
export interface Reference {
  readonly durationMs: number;
  readonly progress: Progress;
  /** Digest by path. */
  readonly targets: ReadonlyMap<string, string>;
}

export const targetsOf = (trial: Trial): ReadonlyMap<string, string> =>
  new Map(trial.attempts.at(-1)?.trace?.targets.map(({ path, digest }) => [path, digest] as const));

/** Paths whose content differs. */
export function differingTargets(
  reference: ReadonlyMap<string, string>,
  targets: ReadonlyMap<string, string>,
): readonly string[] {
  return [...reference].flatMap(([path, digest]) => (targets.get(path) === digest ? [] : [path]));
}

/** `cut`: the run that was cut short; `rest`: the one after it. */
export function judge(
  scenario: Scenario,
  reference: Reference,
  cut: Trial,
  rest: Trial,
  graceMs: number,
): Verdict {
  const steps: string[] = [];
  const problems: string[] = [];
  const done = cut.attempts.at(-1)?.outcome.type === "success";
  if (!cut.wasCut || (done && scenario.way !== "leave")) {
    return { result: "skip", steps: ["was done before it could be cut short"], problems };
  }
  if (scenario.way !== "leave") judgeEnd(scenario, cut, graceMs, steps, problems);
  judgeRest(scenario, reference, cut, rest, steps, problems);
  return { result: problems.length === 0 ? "pass" : "fail", steps, problems };
}

/** Of the way with a time limit, where everything happens in one run. */
export function judgeLimit(reference: Reference, trial: Trial): Verdict {
  const steps: string[] = [];
  const problems: string[] = [];
  // A scheduler may have started the same attempt again by itself.
  const starts = trial.attempts.reduce((sum, { exit }) => sum + 1 + (exit?.restarts ?? 0), 0);
  const wasStopped = trial.attempts.some(({ exit }) => exit?.stopped === "deadline");
  if (starts === 1 && !wasStopped) {
    return { result: "skip", steps: ["never reached the limit"], problems };
  }
  steps.push(`was started ${starts === 1 ? "once" : `${starts} times`}`);
  finish(reference, trial, steps, problems);
  return { result: problems.length === 0 ? "pass" : "fail", steps, problems };
}

function judgeEnd(
  { way }: Scenario,
  cut: Trial,
  graceMs: number,
  steps: string[],
  problems: string[],
): void {
  const last = cut.attempts.at(-1);
  if (last === undefined) {
    problems.push("left no result");
    return;
  }
  const { outcome, exit } = last;
  const took = cut.cutMs === undefined ? "" : ` after ${formatDuration(cut.cutMs)}`;
  if (way === "kill") steps.push("was gone");
  else if (exit?.signal === "SIGKILL") {
    problems.push(
      `did not end within its grace of ${formatDuration(graceMs)} and was killed; it must look for FLOW_STOP_FILE, or handle the stop signal, more often than that`,
    );
  } else steps.push(`${exitWords(last)}${took}`);
  if (outcome.type === "failed" || outcome.type === "oom") {
    problems.push(
      `counted as a failure (${describeOutcome(outcome)}); a program that stops because it was asked to exits with FLOW_EXIT_REQUEUE (75)`,
    );
  } else if (outcome.type === "interrupted" && !outcome.resumable) {
    problems.push(
      "left no checkpoint, so it would not be run again by itself; it must write one to FLOW_CHECKPOINT_DIR before it is done",
    );
  }
}

function exitWords({ exit }: AttemptResult): string {
  if (exit?.signal !== undefined) return `ended by ${exit.signal}`;
  return exit?.code === undefined ? "ended" : `ended with exit ${exit.code}`;
}

function judgeRest(
  { way }: Scenario,
  reference: Reference,
  cut: Trial,
  rest: Trial,
  steps: string[],
  problems: string[],
): void {
  const [before, after] = [cut.progress.last, rest.progress.first];
  const start = reference.progress.first;
  if (before !== undefined && after !== undefined && way !== "leave") {
    const total = rest.progress.total === undefined ? "" : ` of ${rest.progress.total}`;
    steps.push(`told ${before} before, went on with ${after}${total}`);
    const beganAnew = start !== undefined && after <= start && before > start + 1;
    if (beganAnew) {
      problems.push(
        "began anew although it had got further; it must read its checkpoint from FLOW_CHECKPOINT_DIR when it starts",
      );
    }
  }
  finish(reference, rest, steps, problems);
}

function finish({ targets }: Reference, trial: Trial, steps: string[], problems: string[]): void {
  const last = trial.attempts.at(-1);
  if (last?.outcome.type !== "success") {
    const words = last === undefined ? "nothing" : describeOutcome(last.outcome);
    problems.push(`did not get to its end afterwards: ${words}`);
    return;
  }
  const differing = differingTargets(targets, targetsOf(trial));
  if (differing.length > 0) {
    problems.push(`made other targets than undisturbed: ${differing.join(", ")}`);
  } else if (targets.size > 0) steps.push("made the same targets");
  else steps.push("got to its end");
}
