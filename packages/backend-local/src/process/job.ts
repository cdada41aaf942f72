// What a job's attempt is started with.

import type { Job } from "@flow/core";
import type { StopPolicy } from "./files.ts";
import type { Descriptors } from "./launch.ts";
import { isBrief, isForRunner, isHarmless } from "./wrapper.ts";

/** What a backend adds to one start. */
export interface StartExtra {
  readonly env?: Readonly<Record<string, string>>;
  readonly descriptors?: Descriptors;
}

/** How a job is stopped. */
export function policyOf(job: Job): StopPolicy {
  return {
    signal: job.stop.signal,
    graceMs: job.stop.graceMs,
    timeoutMs: job.timeoutMs,
    actionTimeoutsMs: [...job.actions, ...job.finally].map((action) => action.timeoutMs),
  };
}

/** FLOW_DEADLINE: the unix second at which a program over its time limit is killed. */
export function deadlineOf(policy: StopPolicy, wall: number): Readonly<Record<string, string>> {
  if (policy.timeoutMs === undefined) return {};
  return { FLOW_DEADLINE: String(Math.floor((wall + policy.timeoutMs + policy.graceMs) / 1000)) };
}

/** What a job's programs get on top of flow's own environment. */
export function variablesOf(
  job: Job,
  extra: StartExtra,
  deadline: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const variables: Record<string, string> = { ...job.env, ...deadline, ...extra.env };
  // Secrets are inherited; they never pass through a text.
  for (const name of job.secrets) if (env[name] !== undefined) delete variables[name];
  return variables;
}

/** Whether a job may run in a shell that has run others. */
export const mayShare = (job: Job, variables: Readonly<Record<string, string>>): boolean =>
  !job.interactive && Object.keys(variables).every(isHarmless) && isForRunner(job);

/** Text that may become the path of a folder below the state, or stand for it. */
const MAY_NAME_A_FOLDER = /[$*?]|\.flow/;

/**
 * Whether a job cannot use its scratch and output folders: it starts no program that could look for
 * them, and its commands neither name them nor contain anything a shell could make their names from.
 */
export const usesNoFolders = (job: Job): boolean =>
  !job.interactive &&
  isForRunner(job) &&
  isBrief(job) &&
  [...job.actions, ...job.finally].every(({ argv, cwd, stdin }) =>
    [...argv, cwd, stdin ?? ""].every((text) => !MAY_NAME_A_FOLDER.test(text)),
  );
