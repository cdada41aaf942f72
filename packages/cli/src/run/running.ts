// Attempts that are under way or were left by a run that died, and how to act on them: a living run
// is asked to, what a dead one left is taken up for just that.

import { relative } from "node:path";
import {
  attemptKey,
  currentClaims,
  evaluateCondition,
  lastAttempt,
  layout,
  nodeFileSystem,
  type Outcome,
  openPlan,
  openState,
  prepareRun,
  type Run,
  type RunId,
  readAttempt,
  silentLog,
  type Task,
} from "@flow/core";
import { closeBackends, openBackends } from "../backends.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { printDiagnostics } from "../project.ts";
import { VERSION } from "../version.ts";
import { projectRequest } from "./request.ts";

/** An attempt without a result, of a task that a run has claimed. */
export interface RunningAttempt {
  readonly task: Task;
  readonly run: RunId;
  /** Its run lives. Otherwise nobody looks after the attempt. */
  readonly isLookedAfter: boolean;
  readonly serial: number;
  readonly backend: string;
}

/** Those of these tasks that have one. */
export function runningAttempts(root: string, tasks: readonly Task[]): readonly RunningAttempt[] {
  const claims = currentClaims(root);
  return tasks.flatMap((task): readonly RunningAttempt[] => {
    const run = claims.holder(task.key);
    const attempt = run && lastAttempt(layout(root), task.key, nodeFileSystem);
    if (run === undefined || attempt === undefined || attempt.result !== undefined) return [];
    const backend = attempt.record?.backend ?? task.backend;
    return [{ task, run, isLookedAfter: claims.isLive(run), serial: attempt.serial, backend }];
  });
}

/** How the attempt ended; undefined while that is not on record. */
export function outcomeOf(root: string, { task, serial }: RunningAttempt): Outcome | undefined {
  const places = layout(root);
  if (nodeFileSystem.stat(places.attempt(attemptKey(task.key, serial))) === undefined) {
    return undefined;
  }
  return readAttempt(places, task.key, serial, nodeFileSystem).result?.outcome;
}

const LOOK_MS = 100;

/** Waits until all have a result, their run has died, or `limitMs` have passed. */
export async function waitForResults(
  root: string,
  attempts: readonly RunningAttempt[],
  limitMs: number,
): Promise<void> {
  const until = performance.now() + limitMs;
  const isOpen = (attempt: RunningAttempt): boolean => outcomeOf(root, attempt) === undefined;
  while (performance.now() < until && attempts.some(isOpen)) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/**
 * Takes up what a dead run left of these tasks and lets `act` do to it what it wants; nothing else is
 * started. Resolves when all of it has ended or `act` leaves the run.
 */
export async function takeUp(
  attempts: readonly RunningAttempt[],
  act: (run: Run, tasks: readonly number[]) => void,
  invocation: Invocation,
  io: Io,
): Promise<ExitCode> {
  const asked = projectRequest(invocation, io);
  if ("problem" in asked) return EXIT.usage;
  const selectors = attempts.map(({ task }) => task.id);
  const request = { ...asked.request, selectors, only: true, options: {}, version: VERSION };
  const opened = await openPlan(request, undefined);
  if (!opened.ok) {
    printDiagnostics(opened.error, invocation, io);
    return EXIT.usage;
  }
  const { plan, secretValues } = opened.value;
  const env = { ...io.env, ...secretValues };
  const names = [...new Set(attempts.map(({ backend }) => backend))];
  const log = { ...silentLog, warn: (text: string) => void io.stderr.write(`flow: ${text}\n`) };
  const backends = await openBackends(names, plan.project, log, env);
  if (!backends.ok) {
    io.stderr.write(`flow: ${backends.error}\n`);
    return EXIT.outside;
  }
  const { run } = prepareRun(plan, openState(plan.project.root), {
    env,
    backends: backends.value,
    slots: undefined,
    keepGoing: true,
    failFast: false,
    version: VERSION,
    file: relative(plan.project.root, plan.project.file),
    evaluate: evaluateCondition(plan, env),
    position: () => undefined,
    listeners: [],
  });
  try {
    await run.execute((started) => act(started, [...plan.tasks.keys()]));
  } finally {
    await closeBackends(backends.value);
  }
  return EXIT.ok;
}
