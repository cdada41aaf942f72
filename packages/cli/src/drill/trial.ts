// Runs a task once in its sandbox and cuts it short at a moment, through the same engine and backend
// as any other run.

import { dirname, relative } from "node:path";
import {
  type AttemptResult,
  attemptSerials,
  err,
  evaluateCondition,
  layout,
  nodeFileSystem,
  type OpenedPlan,
  ok,
  openState,
  overridePlan,
  prepareRun,
  type Result,
  type Run,
  type RunEvent,
  readAttempt,
  silentLog,
} from "@flow/core";
import { flowTaskPath } from "@flow/task-py";
import { closeBackends, openBackends } from "../backends.ts";
import type { Io } from "../io.ts";
import { VERSION } from "../version.ts";
import type { Moment } from "./scenario.ts";

/** What a program has told of its progress in one attempt. */
export interface Progress {
  readonly first: number | undefined;
  readonly last: number | undefined;
  readonly total: number | undefined;
}

/** What one run did. */
export interface Trial {
  /** Results of the attempts that ended in it, in order. */
  readonly attempts: readonly AttemptResult[];
  readonly progress: Progress;
  /** It was cut short, and not over before. */
  readonly wasCut: boolean;
  /** From the cut to the end of the run. */
  readonly cutMs: number | undefined;
}

/** Ends, kills or leaves the run. */
export type Cut = (run: Run) => void;

export interface TrialRequest {
  readonly opened: OpenedPlan;
  readonly gpus: string | undefined;
  /** Overrides the task's own time limit. */
  readonly timeoutMs?: number | undefined;
  readonly cut?: { readonly at: Moment; readonly act: Cut; readonly wholeMs: number } | undefined;
}

/** The error is a sentence about the backend. */
export async function runTrial(request: TrialRequest, io: Io): Promise<Result<Trial, string>> {
  const { opened, gpus, timeoutMs } = request;
  const overrides = { retries: undefined, timeoutMs };
  const plan = timeoutMs === undefined ? opened.plan : overridePlan(opened.plan, overrides, {});
  const { project, tasks } = plan;
  const env = {
    ...io.env,
    ...opened.secretValues,
    ...(gpus === undefined ? {} : { FLOW_USE_GPUS: gpus }),
  };
  const backends = await openBackends(plan.backends, project, silentLog, env, tasks);
  if (!backends.ok) return err(backends.error);
  const key = tasks[0]?.key;
  const places = layout(project.root);
  const known = key === undefined ? [] : attemptSerials(places, key, nodeFileSystem);
  const watch = new Watch(request.cut);
  const { run } = prepareRun(plan, openState(project.root), {
    env,
    backends: backends.value,
    helperFolder: dirname(flowTaskPath),
    slots: 1,
    keepGoing: false,
    failFast: false,
    version: VERSION,
    file: relative(project.root, project.file),
    evaluate: evaluateCondition(plan, env),
    position: () => undefined,
    listeners: [(event) => watch.see(event)],
  });
  const release = io.onSignal((signal) => {
    if (signal !== "SIGHUP") run.stop("forced", "user");
  });
  watch.begin(run);
  try {
    await run.execute();
  } finally {
    release();
    watch.end();
    await closeBackends(backends.value);
  }
  const serials = key === undefined ? [] : attemptSerials(places, key, nodeFileSystem);
  const last = known.at(-1);
  const attempts = serials
    .filter((serial) => last === undefined || serial >= last)
    .flatMap((serial) =>
      key === undefined ? [] : (readAttempt(places, key, serial, nodeFileSystem).result ?? []),
    );
  return ok({ attempts, ...watch.outcome() });
}

/** Follows the events of a run and acts once at the moment that is asked for. */
class Watch {
  readonly #cut: TrialRequest["cut"];
  #run: Run | undefined;
  #timer: NodeJS.Timeout | undefined;
  #first: number | undefined;
  #last: number | undefined;
  #total: number | undefined;
  #cutAt: number | undefined;
  #endedAt: number | undefined;

  constructor(cut: TrialRequest["cut"]) {
    this.#cut = cut;
  }

  begin(run: Run): void {
    this.#run = run;
  }

  see(event: RunEvent): void {
    if (event.type === "task/started") this.#started();
    else if (event.type === "task/progress" && event.done !== undefined) {
      this.#first ??= event.done;
      this.#last = event.done;
      this.#total = event.total ?? this.#total;
      const part = this.#total === undefined ? 0 : event.done / this.#total;
      if (this.#cut !== undefined && "part" in this.#cut.at && part >= this.#cut.at.part) {
        this.#act();
      }
    } else if (event.type === "task/done" || event.type === "task/failed") this.end();
  }

  /** A program that tells its progress is cut by that, any other by the clock. */
  #started(): void {
    if (this.#cut === undefined) return;
    const { at, wholeMs } = this.#cut;
    const delayMs = "afterMs" in at ? at.afterMs : at.part * wholeMs;
    this.#timer ??= setTimeout(() => {
      if ("afterMs" in at || this.#total === undefined) this.#act();
    }, delayMs);
  }

  #act(): void {
    if (this.#cutAt !== undefined || this.#run === undefined || this.#cut === undefined) return;
    this.#cutAt = performance.now();
    const [run, { act }] = [this.#run, this.#cut];
    // Not from inside the engine's own telling.
    setImmediate(() => act(run));
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#endedAt ??= performance.now();
  }

  outcome(): Omit<Trial, "attempts"> {
    const cutMs =
      this.#cutAt === undefined ? undefined : (this.#endedAt ?? performance.now()) - this.#cutAt;
    return {
      progress: { first: this.#first, last: this.#last, total: this.#total },
      wasCut: this.#cutAt !== undefined,
      cutMs,
    };
  }
}
