// Answers the machine's "check": conditions first, then freshness, the hashing a few at a time.

import type PQueue from "p-queue";
import type { TemporaryTarget } from "../graph/temporary.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Task } from "../model/task.ts";
import { troubleOf } from "../ports/system-error.ts";
import { attemptSerials, lastAttempt } from "../record/attempt-record.ts";
import { describeReason } from "../trace/explain.ts";
import { nameLeftOut } from "../trace/left-out.ts";
import type { Inspection } from "../trace/trace.ts";
import type { Neighbours } from "./neighbours.ts";
import type { Services } from "./services.ts";

/** What a check found, kept until the task is done with. */
export interface Checked {
  readonly inspection: Extract<Inspection, { readonly verdict: "fresh" | "stale" }>;
  /** Serial of the task's latest attempt when the check ended; 0 when there was none. */
  readonly lastSerial: number;
  /** Serial of the success that the check was made against; 0 when none was known. */
  readonly knownSerial: number;
}

export class Checker {
  readonly #services: Services;
  readonly #neighbours: Neighbours;
  readonly #queue: PQueue;
  readonly #results = new Map<number, Checked>();
  readonly #skipped: Task[] = [];

  constructor(services: Services, neighbours: Neighbours, queue: PQueue) {
    this.#services = services;
    this.#neighbours = neighbours;
    this.#queue = queue;
  }

  /** Absent for a task that could not be judged because another run was at its files. */
  result(index: number): Checked | undefined {
    return this.#results.get(index);
  }

  /** The task will not be started any more. */
  forget(index: number): void {
    this.#results.delete(index);
  }

  check(index: number): void {
    void this.#queue.add(() => this.#check(index));
  }

  /** Another run has finished an attempt: take over what it found, then check again. */
  refresh(index: number): void {
    const task = this.#services.tasks[index] as Task;
    this.#services.reload(task.key);
    this.#services.post({ type: "task/released", task: index });
  }

  async #check(index: number): Promise<void> {
    const { tasks, post } = this.#services;
    const task = tasks[index] as Task;
    try {
      const condition = this.#conditions(task);
      if (condition === "skip") {
        const expression = task.when?.expression ?? "";
        this.#skipped.push(task);
        this.#tell({ type: "task/skipped", condition: expression, ...nameOf(task) });
        post({ type: "task/checked", task: index, verdict: "skip" });
      } else if (condition !== undefined) this.#impossible(index, condition);
      else await this.#inspect(index, task);
    } catch (error) {
      this.#services.broken(`cannot be checked: ${troubleOf(error)}`, task);
      this.#impossible(index, failed("internal", troubleOf(error)));
    }
  }

  async #inspect(index: number, task: Task): Promise<void> {
    const { request, layout, files, post, warn, reload } = this.#services;
    const serial = (): number => request.traces.get(task.key)?.serial ?? 0;
    let knownSerial = serial();
    let inspection = await request.inspector.inspect(task);
    const lacked = request.inspector.temporary.lackedBy(index);
    const isLacking = lacked !== undefined && inspection.verdict === "stale";
    const isModified = inspection.verdict !== "impossible" && inspection.modifiedTargets.length > 0;
    if (isLacking || isModified) {
      // Whoever used it up or changed it may be another run, which has done this task too.
      reload(task.key);
      if (isLacking || serial() > knownSerial) inspection = await request.inspector.inspect(task);
      knownSerial = serial();
    }
    if (this.#isUnsure(task, inspection)) {
      this.#results.delete(index);
      post({ type: "task/checked", task: index, verdict: "stale" });
      return;
    }
    if (inspection.verdict === "impossible") {
      const named = inspection.problems.map((problem) => nameLeftOut(problem, this.#skipped));
      const message = named.map((problem) => problem.message).join(" ");
      this.#impossible(index, failed("input-missing", message));
      return;
    }
    for (const path of inspection.modifiedTargets) {
      warn(`\`${path}\` was edited by hand and is kept; \`flow accept\` blesses it`, task);
    }
    if (inspection.verdict === "fresh") {
      post({ type: "task/checked", task: index, verdict: "fresh" });
    } else if (lacked !== undefined) {
      this.#impossible(index, failed("input-missing", missing(task, lacked)));
    } else if (this.#wasPruned(task, inspection)) {
      post({ type: "task/checked", task: index, verdict: "pruned" });
    } else {
      const lastSerial = attemptSerials(layout, task.key, files).at(-1) ?? 0;
      this.#results.set(index, { inspection, lastSerial, knownSerial });
      const reasons = inspection.reasons.map(describeReason);
      this.#tell({ type: "task/stale", reasons, ...nameOf(task) });
      post({ type: "task/checked", task: index, verdict: "stale" });
    }
  }

  /** Whether it is so only because another run is at these files. */
  #isUnsure(task: Task, inspection: Inspection): boolean {
    if (inspection.verdict === "impossible") {
      return this.#neighbours.conflictOf(task) !== undefined;
    }
    const isModified = inspection.modifiedTargets.length > 0;
    return isModified && this.#neighbours.holderOf(task) !== undefined;
  }

  /** Its last attempt, with the same recipe and inputs, was ended early; trying again would end so too. */
  #wasPruned(task: Task, { inputs, reasons }: Checked["inspection"]): boolean {
    if (task.pruning === undefined) return false;
    if (reasons.some(({ component }) => component === "forced")) return false;
    const { layout, files } = this.#services;
    const last = lastAttempt(layout, task.key, files);
    return last?.result?.outcome.type === "pruned" && last.record?.fingerprint === inputs.identity;
  }

  #conditions(task: Task): "skip" | Outcome | undefined {
    const { evaluate } = this.#services.request;
    if (task.when !== undefined) {
      const verdict = evaluate(task.when, task);
      if ("problem" in verdict)
        return failed("requirement-not-met", `\`when\`: ${verdict.problem}`);
      if (!verdict.holds) return "skip";
    }
    for (const condition of task.require) {
      const verdict = evaluate(condition, task);
      if ("problem" in verdict)
        return failed("requirement-not-met", `\`require\`: ${verdict.problem}`);
      if (!verdict.holds) {
        const message = `\`require: ${condition.expression}\` does not hold`;
        return failed("requirement-not-met", condition.message ?? message);
      }
    }
    return undefined;
  }

  #impossible(index: number, outcome: Outcome): void {
    this.#services.post({ type: "task/checked", task: index, verdict: "failed", outcome });
  }

  #tell(body: Parameters<Services["recorder"]["emit"]>[0]): void {
    this.#services.recorder.emit(body);
  }
}

const nameOf = (task: Task): { readonly task: string; readonly template: string } => ({
  task: task.id,
  template: task.template,
});

const failed = (
  kind: "input-missing" | "requirement-not-met" | "internal",
  message: string,
): Outcome => ({
  type: "failed",
  kind,
  code: undefined,
  signal: undefined,
  message,
});

/** Of a task whose input was removed after use, and is not made again in this run. */
function missing({ id }: Task, { path, maker, task }: TemporaryTarget): string {
  const fix = task === undefined ? `run \`${maker.id}\` too` : "run again";
  return `\`${path}\` was removed after its last use, and \`${id}\` needs it again; ${fix}, and it is made again`;
}
