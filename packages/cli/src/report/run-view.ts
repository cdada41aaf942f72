// The state of a run as its events tell it. Everything a screen shows is read from here, so all
// screens agree.

import type { Outcome, RunCounts, RunEvent, RunEventBody } from "@flow/core";

export type Started = Extract<RunEventBody, { type: "run/started" }>;
export type Failed = Extract<RunEventBody, { type: "task/failed" }>;
export type Ended = Extract<RunEventBody, { type: "run/ended" }>;
export type Stopping = Extract<RunEventBody, { type: "run/stopping" }>;

export type TaskStatus =
  | "waiting"
  | "queued"
  | "running"
  | "again"
  | "held"
  | "unknown"
  | "fresh"
  | "done"
  | "failed"
  | "allowed"
  | "blocked"
  | "cancelled"
  | "skipped"
  | "pruned";

/** A task that is neither waiting for others nor over. */
export interface ActiveTask {
  readonly task: string;
  readonly template: string;
  readonly status: "queued" | "running" | "again" | "held" | "unknown";
  /** Milliseconds into the run when this status began; before it for adopted attempts. */
  readonly sinceMs: number;
  readonly attempt: number;
  readonly node: string | undefined;
  readonly stdout: string | undefined;
  readonly stderr: string | undefined;
  readonly progress: Progress | undefined;
  readonly metrics: Readonly<Record<string, number>>;
  /** Why it is queued, unknown, held or tried again. */
  readonly note: string | undefined;
}

interface Progress {
  readonly done: number | undefined;
  readonly total: number | undefined;
  readonly unit: string | undefined;
  readonly message: string | undefined;
}

export interface TemplateView {
  readonly name: string;
  readonly size: number;
  /** Tasks per status; those missing from all are waiting. */
  readonly counts: ReadonlyMap<TaskStatus, number>;
  /** Run times in milliseconds of its latest successes in this run, at most {@link KEPT_DURATIONS}. */
  readonly durationsMs: readonly number[];
}

interface MutableTemplate extends TemplateView {
  readonly counts: Map<TaskStatus, number>;
  readonly durationsMs: number[];
}

const KEPT_DURATIONS = 100;

const FINAL: ReadonlySet<TaskStatus> = new Set([
  "fresh",
  "done",
  "failed",
  "allowed",
  "blocked",
  "cancelled",
  "skipped",
  "pruned",
]);

export class RunView {
  readonly #here: string | undefined;
  #started: Started | undefined;
  #ended: Ended | undefined;
  #stopping: (Stopping & { readonly atMs: number }) | undefined;
  #elapsedMs = 0;
  #settled = 0;
  #retries = 0;
  #lastSettled: ActiveTask | undefined;
  readonly #templates = new Map<string, MutableTemplate>();
  readonly #statuses = new Map<string, TaskStatus>();
  readonly #active = new Map<string, ActiveTask>();
  readonly #failures: (Failed & { readonly node: string | undefined })[] = [];
  readonly #warnings: string[] = [];
  readonly #waits = new Map<string, string>();

  /** `here`: the name of this machine, which is not worth showing as the place where tasks run. */
  constructor(here?: string) {
    this.#here = here;
  }

  get started(): Started | undefined {
    return this.#started;
  }
  get ended(): Ended | undefined {
    return this.#ended;
  }
  /** The latest stop request, with the milliseconds into the run when it was made. */
  get stopping(): (Stopping & { readonly atMs: number }) | undefined {
    return this.#stopping;
  }
  /** Milliseconds into the run of the latest event. */
  get elapsedMs(): number {
    return this.#elapsedMs;
  }
  /** Tasks of which nothing more will be heard. */
  get settled(): number {
    return this.#settled;
  }
  get total(): number {
    return this.#started?.total ?? 0;
  }
  get retries(): number {
    return this.#retries;
  }
  /** In plan order. */
  get templates(): readonly TemplateView[] {
    return [...this.#templates.values()];
  }
  /** In the order in which they became active. */
  get active(): readonly ActiveTask[] {
    return [...this.#active.values()];
  }
  /** Every failure that is final, allowed ones included. */
  get failures(): readonly (Failed & { readonly node: string | undefined })[] {
    return this.#failures;
  }
  /** Why tasks that are ready do not start, by task; those of which it was told. */
  get waits(): ReadonlyMap<string, string> {
    return this.#waits;
  }
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** Latest metrics of a task that is active or was the last to settle; empty for others. */
  metricsOf(task: string): Readonly<Record<string, number>> {
    const active = this.#active.get(task) ?? this.#lastSettled;
    return active?.task === task ? active.metrics : {};
  }

  status(task: string): TaskStatus {
    return this.#statuses.get(task) ?? "waiting";
  }

  /** How many tasks have one of these statuses. */
  count(...statuses: readonly TaskStatus[]): number {
    let sum = 0;
    for (const { counts } of this.#templates.values()) {
      for (const status of statuses) sum += counts.get(status) ?? 0;
    }
    return sum;
  }

  /** What `run/ended` says when it is here, else the same from the events so far. */
  get counts(): RunCounts {
    return (
      this.#ended?.counts ?? {
        total: this.total,
        fresh: this.count("fresh"),
        done: this.count("done"),
        failed: this.count("failed"),
        allowedFailures: this.count("allowed"),
        blocked: this.count("blocked"),
        cancelled: this.count("cancelled"),
        skipped: this.count("skipped"),
        pruned: this.count("pruned"),
        unknown: this.count("unknown"),
      }
    );
  }

  /** Takes the next event in. */
  apply(event: RunEvent): void {
    this.#elapsedMs = Math.max(this.#elapsedMs, event.elapsedMs);
    switch (event.type) {
      case "run/started":
        this.#started = event;
        for (const { name, size } of event.templates) this.#template(name, size);
        break;
      case "run/stopping":
        this.#stopping = { ...event, atMs: event.elapsedMs };
        break;
      case "run/ended":
        this.#ended = event;
        this.#active.clear();
        break;
      case "warning":
        this.#warnings.push(event.task === "" ? event.message : `${event.task}: ${event.message}`);
        break;
      case "task/waiting":
        this.#waits.set(event.task, event.why);
        break;
      case "task/stale":
      case "target/removed":
        break;
      case "task/started":
      case "task/queued":
      case "task/unknown":
      case "task/known":
      case "task/held":
      case "task/again":
        this.#activate(event);
        break;
      case "task/progress":
        this.#update(event.task, { progress: event });
        break;
      case "task/metrics":
        this.#update(event.task, {
          metrics: { ...this.#active.get(event.task)?.metrics, ...event.values },
        });
        break;
      default:
        this.#settle(event);
    }
  }

  #activate(event: Activating): void {
    const before = this.#active.get(event.task);
    if (event.type === "task/again") this.#retries += 1;
    const active = activeTask(event, before);
    const node = active.node === this.#here ? undefined : active.node;
    this.#active.set(event.task, { ...active, node });
    this.#setStatus(event, statusOf(event));
  }

  #settle(event: Settling): void {
    if (event.type === "task/done") {
      const { durationsMs } = this.#template(event.template);
      durationsMs.push(event.durationMs);
      if (durationsMs.length > KEPT_DURATIONS) durationsMs.shift();
    }
    if (event.type === "task/failed") {
      this.#failures.push({ ...event, node: this.#active.get(event.task)?.node });
    }
    this.#lastSettled = this.#active.get(event.task);
    this.#active.delete(event.task);
    this.#setStatus(event, finalStatus(event));
  }

  #update(task: string, change: Partial<ActiveTask>): void {
    const before = this.#active.get(task);
    if (before !== undefined) this.#active.set(task, { ...before, ...change });
  }

  #setStatus({ task, template }: { task: string; template: string }, status: TaskStatus): void {
    const { counts } = this.#template(template);
    const before = this.#statuses.get(task);
    if (before !== undefined) counts.set(before, (counts.get(before) ?? 0) - 1);
    counts.set(status, (counts.get(status) ?? 0) + 1);
    this.#settled += Number(FINAL.has(status)) - Number(before !== undefined && FINAL.has(before));
    this.#statuses.set(task, status);
    this.#waits.delete(task);
  }

  #template(name: string, size = 0): MutableTemplate {
    const found = this.#templates.get(name);
    if (found !== undefined) return found;
    const made: MutableTemplate = { name, size, counts: new Map(), durationsMs: [] };
    this.#templates.set(name, made);
    return made;
  }
}

type Activating = Extract<
  RunEvent,
  {
    type:
      | "task/started"
      | "task/queued"
      | "task/unknown"
      | "task/known"
      | "task/held"
      | "task/again";
  }
>;

type Settling = Extract<
  RunEvent,
  {
    type:
      | "task/fresh"
      | "task/skipped"
      | "task/done"
      | "task/failed"
      | "task/blocked"
      | "task/cancelled"
      | "task/pruned";
  }
>;

function statusOf(event: Activating): ActiveTask["status"] {
  switch (event.type) {
    case "task/started":
      return "running";
    case "task/queued":
      return "queued";
    case "task/unknown":
      return "unknown";
    case "task/known":
      return event.at;
    case "task/held":
      return "held";
    case "task/again":
      return "again";
  }
}

function activeTask(event: Activating, before: ActiveTask | undefined): ActiveTask {
  const status = statusOf(event);
  const base: ActiveTask = {
    task: event.task,
    template: event.template,
    status,
    sinceMs: event.elapsedMs,
    attempt: before?.attempt ?? 0,
    node: before?.node,
    stdout: before?.stdout,
    stderr: before?.stderr,
    progress: undefined,
    metrics: {},
    note: undefined,
  };
  switch (event.type) {
    case "task/started": {
      const { attempt, node, stdout, stderr, adoptedSince } = event;
      const sinceMs =
        adoptedSince === undefined
          ? event.elapsedMs
          : event.elapsedMs - Math.max(0, event.wall - adoptedSince);
      return { ...base, attempt, node, stdout, stderr, sinceMs };
    }
    case "task/queued":
      return { ...base, note: event.why };
    case "task/unknown":
      return { ...base, ...wentOn(before), note: event.why };
    case "task/known":
      return { ...base, ...wentOn(before) };
    case "task/held":
      return { ...base, note: `run ${event.by} is at it` };
    case "task/again":
      return { ...base, note: describeOutcome(event.outcome) };
  }
}

/** What stays true of a task while nothing is known of it. */
const wentOn = (before: ActiveTask | undefined): Partial<ActiveTask> =>
  before === undefined
    ? {}
    : { sinceMs: before.sinceMs, progress: before.progress, metrics: before.metrics };

function finalStatus(event: Settling): TaskStatus {
  switch (event.type) {
    case "task/fresh":
      return "fresh";
    case "task/skipped":
      return "skipped";
    case "task/done":
      return "done";
    case "task/failed":
      return event.allowed ? "allowed" : "failed";
    case "task/blocked":
      return "blocked";
    case "task/cancelled":
      return "cancelled";
    case "task/pruned":
      return "pruned";
  }
}

/** An outcome in a few words, as it stands behind a task's name. */
export function describeOutcome(outcome: Outcome): string {
  switch (outcome.type) {
    case "success":
      return "done";
    case "failed":
      if (outcome.kind === "exit" && outcome.code !== undefined) return `exit ${outcome.code}`;
      if (outcome.kind === "signal" && outcome.signal !== undefined) {
        return `killed by ${outcome.signal}`;
      }
      return outcome.kind === "timeout" ? "timed out" : outcome.kind.replaceAll("-", " ");
    case "oom":
      return outcome.device === "gpu" ? "out of GPU memory" : "out of memory";
    case "requeue":
      return outcome.code === undefined ? "asked to be requeued" : `exit ${outcome.code} (requeue)`;
    case "interrupted":
      return outcome.cause === "stopped" ? "stopped" : outcome.cause.replaceAll("-", " ");
    case "cancelled":
      return "cancelled";
    case "pruned":
      return "pruned";
  }
}
