// Puts what becomes of tasks into words for whoever watches, and counts it.

import { neighbours } from "../graph/adjacency.ts";
import type { Effect, FinalState } from "../machine/effect.ts";
import type { Machine } from "../machine/machine.ts";
import type { StopReason } from "../model/outcome.ts";
import type { Limits } from "../model/resources.ts";
import type { Task } from "../model/task.ts";
import type { Attendant, LiveAttempt } from "./attendant.ts";
import { estimateRun } from "./estimate.ts";
import { ATTEMPT_FILES } from "./layout.ts";
import type { RunCounts, TaskRef } from "./run-event.ts";
import type { Services } from "./services.ts";

/** Names listed as blocked by one failure; the rest is in the counts. */
const MOST_BLOCKED = 200;

type Again = Effect & { type: "again" };

export class TaskNews {
  readonly #services: Services;
  readonly #attendant: Attendant;
  readonly #machine: Machine;
  readonly #retries = new Map<number, number>();
  readonly #counts = {
    fresh: 0,
    done: 0,
    failed: 0,
    allowedFailures: 0,
    blocked: 0,
    cancelled: 0,
    skipped: 0,
    pruned: 0,
  };
  /** Tasks that came to anything but fresh or skipped. */
  readonly #moved = new Set<number>();
  #stopReason: StopReason = "user";

  constructor(services: Services, attendant: Attendant, machine: Machine) {
    this.#services = services;
    this.#attendant = attendant;
    this.#machine = machine;
  }

  started(limits: Limits): void {
    const { request, tasks, layout } = this.#services;
    const sizes = new Map<string, number>();
    for (const { template } of tasks) sizes.set(template, (sizes.get(template) ?? 0) + 1);
    this.#services.recorder.emit({
      type: "run/started",
      run: request.run,
      file: request.file,
      root: layout.root,
      templates: [...sizes].map(([name, size]) => ({ name, size })),
      total: tasks.length,
      slots: limits.slots,
      estimateMs: estimateRun(request.plan, request.traces, limits),
    });
  }

  stopping(how: "graceful" | "forced", running: readonly LiveAttempt[]): void {
    const graces = running.map(({ record }) => record.task.stop.graceMs);
    this.#services.recorder.emit({
      type: "run/stopping",
      how,
      running: running.length,
      graceMs: how === "forced" ? 0 : Math.max(0, ...graces),
    });
  }

  settled(index: number, state: FinalState): void {
    const { recorder, tasks } = this.#services;
    const task = tasks[index] as Task;
    const name = nameOf(task);
    const end =
      state.at === "done" && this.#groupsNothingNew(index) ? { at: "fresh" as const } : state;
    if (end.at !== "fresh" && end.at !== "skipped") this.#moved.add(index);
    switch (end.at) {
      case "fresh":
        this.#counts.fresh += 1;
        recorder.emit({ type: "task/fresh", ...name });
        break;
      case "skipped":
        this.#counts.skipped += 1;
        break;
      case "done":
        this.#done(index, task);
        break;
      case "failed":
        this.#failed(index, task, end);
        break;
      case "blocked": {
        this.#counts.blocked += 1;
        const by = tasks[end.by] as Task;
        recorder.emit({ type: "task/blocked", ...name, by: by.id });
        break;
      }
      case "cancelled":
        // Without an outcome it was never started; it counts as neither done nor cancelled.
        if (end.outcome === undefined) break;
        this.#counts.cancelled += 1;
        recorder.emit({ type: "task/cancelled", ...name, reason: this.#stopReason });
        break;
      case "pruned":
        this.#counts.pruned += 1;
        recorder.emit({ type: "task/pruned", ...name });
    }
  }

  again(effect: Again): void {
    const { recorder, tasks, clock } = this.#services;
    const task = tasks[effect.task] as Task;
    const number = (this.#retries.get(effect.task) ?? 0) + 1;
    if (effect.reason === "retry") this.#retries.set(effect.task, number);
    recorder.emit({
      type: "task/again",
      ...nameOf(task),
      reason: effect.reason,
      delayMs: Math.max(0, Math.round(effect.at - clock.now())),
      outcome: effect.outcome,
      retry: effect.reason === "retry" ? { number, max: task.retries.max } : undefined,
    });
  }

  counts(): RunCounts {
    return {
      ...this.#counts,
      total: this.#services.tasks.length,
      unknown: this.#machine.counts().unknown,
    };
  }

  /** A task that only groups is as fresh as what it groups. */
  #groupsNothingNew(index: number): boolean {
    const { machine, dependencies } = this.#services.request.plan;
    if (machine.tasks[index]?.grouping !== true) return false;
    return neighbours(dependencies, index).every((dependency) => !this.#moved.has(dependency));
  }

  #done(index: number, task: Task): void {
    this.#counts.done += 1;
    const ended = this.#attendant.ended(index);
    if (ended === undefined) return;
    this.#services.recorder.emit({
      type: "task/done",
      ...nameOf(task),
      attempt: ended.record.attempt,
      durationMs: ended.result.durationMs ?? 0,
      usage: ended.result.exit?.usage,
    });
  }

  #failed(index: number, task: Task, { outcome }: FinalState & { at: "failed" }): void {
    if (task.allowFailure) this.#counts.allowedFailures += 1;
    else this.#counts.failed += 1;
    const ended = this.#attendant.ended(index);
    const action = ended?.result.exit?.action;
    const directory = ended?.directory;
    this.#services.recorder.emit({
      type: "task/failed",
      ...nameOf(task),
      attempt: ended?.record.attempt ?? 0,
      durationMs: ended?.result.durationMs,
      outcome,
      allowed: task.allowFailure,
      command: action === undefined ? undefined : ended?.record.commands[action],
      position: this.#services.request.position(task, action),
      stdout: directory === undefined ? undefined : `${directory}/${ATTEMPT_FILES.stdout}`,
      stderr: directory === undefined ? undefined : `${directory}/${ATTEMPT_FILES.stderr}`,
      blocks: task.allowFailure ? [] : this.#blocks(index),
    });
  }

  /** Tasks downstream of a failed one, nearest first. */
  #blocks(index: number): readonly string[] {
    const { plan } = this.#services.request;
    const dependents = { start: plan.machine.dependentStart, targets: plan.machine.dependents };
    const found = new Set<number>();
    const queue = [index];
    for (const next of queue) {
      for (const dependent of neighbours(dependents, next)) {
        if (found.has(dependent)) continue;
        found.add(dependent);
        queue.push(dependent);
      }
      if (found.size >= MOST_BLOCKED) break;
    }
    return [...found].slice(0, MOST_BLOCKED).map((other) => (plan.tasks[other] as Task).id);
  }
}

const nameOf = ({ id, template }: Task): TaskRef => ({ task: id, template });
