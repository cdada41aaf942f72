// What one line about an attempt can say: the facts of its two files, flat, without the recipe.

import type { RunId, TaskId, TaskKey } from "../model/ids.ts";
import type { MachineFacts, Outcome, Usage } from "../model/outcome.ts";
import type { EnvironmentFacts, MetricSummary, StoredAttempt } from "./attempt-record.ts";
import { joinSummaries } from "./metrics.ts";

/** `running` stands for every attempt without a result, also for one nobody looks after. */
type RecordStatus = Outcome["type"] | "running";

/** An attempt, or several that continued one another, as plain JSON. */
export interface RunRecord {
  /** Of the latest attempt. */
  readonly key: TaskKey;
  readonly serial: number;
  /** Of all attempts that are in it, in order. */
  readonly serials: readonly number[];
  readonly directory: string;
  readonly task: TaskId;
  readonly template: string;
  readonly file: string;
  /** `tags:` of the task. */
  readonly labels: readonly string[];
  readonly run: RunId;
  /** How many attempts it took so far. */
  readonly attempts: number;
  readonly reason: string;
  readonly fingerprint: string;
  /** It can go on where an earlier attempt stopped. */
  readonly resumes: boolean;
  readonly status: RecordStatus;
  /** Absent while it runs. */
  readonly outcome?: Outcome | undefined;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  /** Unix milliseconds. */
  readonly began: number;
  readonly ended?: number | undefined;
  readonly durationMs?: number | undefined;
  readonly backend: string;
  readonly node?: string | undefined;
  readonly params: Readonly<Record<string, string>>;
  readonly metrics: Readonly<Record<string, MetricSummary>>;
  readonly usage?: Usage | undefined;
  readonly code?:
    | {
        readonly tree: string;
        readonly kept: boolean;
        readonly commit?: string | undefined;
        readonly branch?: string | undefined;
        readonly dirty?: boolean | undefined;
        readonly changed: boolean;
      }
    | undefined;
  readonly environment?: EnvironmentFacts | undefined;
  readonly machine?: MachineFacts | undefined;
  readonly workspace?: string | undefined;
  readonly experiment?: string | undefined;
  /** What the program and people have said of it, people last. */
  readonly tags: Readonly<Record<string, string>>;
}

/** Undefined when the attempt has no record (it was removed). */
export function toRunRecord(
  key: TaskKey,
  { serial, directory, record, result }: StoredAttempt,
  tags: Readonly<Record<string, string>> = {},
): RunRecord | undefined {
  if (record === undefined) return undefined;
  const { task, run, attempt, reason, fingerprint, wall, backend } = record;
  const { outcome, exit } = result ?? {};
  const code = result?.code ?? record.code;
  return {
    ...{
      key,
      serial,
      serials: [serial],
      directory,
      task: task.id,
      template: task.template,
      file: task.file,
    },
    ...{ labels: task.tags, run, attempts: attempt, reason, fingerprint, backend },
    resumes: record.checkpoint !== undefined,
    status: outcome?.type ?? "running",
    outcome,
    exitCode: exit?.code,
    signal: exit?.signal,
    began: exit?.startedAt ?? wall,
    ended: exit?.endedAt ?? result?.wall,
    durationMs: result?.durationMs,
    node: exit?.node,
    params: { ...task.params, ...task.axes },
    metrics: result?.metrics ?? {},
    usage: exit?.usage,
    code: code && {
      tree: code.tree,
      kept: code.kept,
      commit: code.git?.commit,
      branch: code.git?.branch,
      dirty: code.git?.dirty,
      changed: result?.code?.changedWhileRunning ?? false,
    },
    environment: result?.environment,
    machine: result?.machine ?? exit?.machine,
    workspace: record.workspace,
    experiment: record.experiment,
    tags: { ...result?.tags, ...tags },
  };
}

/**
 * One record for each row of attempts that continued one another, given all attempts of one task in
 * order. Where a later attempt went on from a checkpoint its metrics and its time continue too;
 * where it began anew only its own count.
 */
export function joinAttempts(attempts: readonly RunRecord[]): readonly RunRecord[] {
  const joined: RunRecord[] = [];
  for (const attempt of attempts) {
    const before = joined.at(-1);
    const continues = attempt.attempts > 1 && before?.fingerprint === attempt.fingerprint;
    if (continues) joined[joined.length - 1] = continued(before, attempt);
    else joined.push(attempt);
  }
  return joined;
}

function continued(before: RunRecord, attempt: RunRecord): RunRecord {
  const tags = { ...before.tags, ...attempt.tags };
  const serials = [...before.serials, attempt.serial];
  if (!attempt.resumes) return { ...attempt, serials, tags };
  const metrics = { ...before.metrics };
  for (const [name, summary] of Object.entries(attempt.metrics)) {
    const earlier = metrics[name];
    metrics[name] = earlier === undefined ? summary : joinSummaries(earlier, summary);
  }
  const durationMs = (before.durationMs ?? 0) + (attempt.durationMs ?? 0);
  return { ...attempt, serials, began: before.began, durationMs, metrics, tags };
}
