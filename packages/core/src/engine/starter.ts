// Brings a task that must run to the point where a backend can take it: claim, lineage, record.
// Also the place where an attempt that a dead run left behind is found.

import type { Backend } from "../backend/backend.ts";
import type { Effect } from "../machine/effect.ts";
import { attemptKey, type RunId } from "../model/ids.ts";
import type { ResourceRequest } from "../model/resources.ts";
import type { Task } from "../model/task.ts";
import { type AttemptRecord, lastAttempt, type StoredAttempt } from "../record/attempt-record.ts";
import type { Checked } from "./checker.ts";
import { makePlace, type PreparedAttempt, prepare } from "./prepare.ts";
import type { Services } from "./services.ts";

type StartEffect = Effect & { type: "start" };

export type Start =
  | ({ readonly type: "prepared" } & PreparedAttempt)
  /** Another living run works on it. */
  | { readonly type: "held"; readonly by: RunId }
  /** A dead run left an attempt that was never settled; the claim is ours now. */
  | { readonly type: "orphan"; readonly attempt: StoredAttempt & { record: AttemptRecord } }
  /** Another run has changed what matters since the task was looked at. */
  | { readonly type: "outdated" };

export class Starter {
  readonly #services: Services;
  readonly #folders = new Set<string>();

  constructor(services: Services) {
    this.#services = services;
  }

  /** Throws what the disk throws; the claim is given back then. */
  start(effect: StartEffect, checked: Checked): Start {
    const { tasks, claims, layout, files, request } = this.#services;
    const task = tasks[effect.task] as Task;
    const taken = claims.take(task.key);
    if (typeof taken === "object") return { type: "held", by: taken.heldBy };
    try {
      // Who makes the place of a task's attempts, while holding the claim, knows that there is none.
      const isFirst = makePlace(layout, task.key, files, this.#folders);
      const previous = isFirst ? undefined : lastAttempt(layout, task.key, files);
      const orphan = unsettled(previous);
      if (orphan !== undefined) return { type: "orphan", attempt: orphan };
      if (previous !== undefined && this.#isOvertaken(task, previous, checked)) {
        claims.release(task.key);
        return { type: "outdated" };
      }
      // Another run may have removed what it found used up, until the claim was ours.
      if (request.inspector.temporary.lackedBy(effect.task) !== undefined) {
        claims.release(task.key);
        return { type: "outdated" };
      }
      return this.#prepare(effect, task, previous, checked.inspection);
    } catch (error) {
      claims.release(task.key);
      throw error;
    }
  }

  /** Whether another run has tried the task, or brought it to success, since it was looked at. */
  #isOvertaken(task: Task, previous: StoredAttempt, checked: Checked): boolean {
    const { request, layout, files } = this.#services;
    const by = previous.record?.run;
    if (by === request.run) return false;
    if (previous.serial > checked.lastSerial) return true;
    const success = previous.result?.trace?.serial ?? 0;
    if (by === undefined || success <= checked.knownSerial) return false;
    if (files.stat(layout.runLock(by)) !== undefined) return true;
    // That run is over. A success that is not among the traces it left has been forgotten on purpose.
    request.traces.refresh();
    return (request.traces.get(task.key)?.serial ?? 0) >= success;
  }

  #prepare(
    effect: StartEffect,
    task: Task,
    previous: StoredAttempt | undefined,
    inspection: Checked["inspection"],
  ): Start {
    const { request, layout, files, clock, code } = this.#services;
    const { project } = request.plan;
    const serial = (previous?.serial ?? 0) + 1;
    const prepared = prepare(
      {
        run: request.run,
        task,
        serial,
        previous,
        inputs: inspection.inputs,
        reason: effect.reason,
        promoted: inspection.promote,
        resumes: inspection.resumes,
        resources: granted(effect.resources, request.backends.get(task.backend)),
        backend: task.backend,
        backendType:
          project.backends.find(({ name }) => name === task.backend)?.use ?? task.backend,
        compat: project.compat,
        secrets: project.secrets,
        workspace: project.workspace,
        experiment: project.experiment,
        pythonPath: request.pythonPath,
        code: code?.started(attemptKey(task.key, serial)),
        wall: clock.wall(),
        usesNoFolders: request.backends.get(task.backend)?.usesNoFolders,
      },
      layout,
      files,
      this.#folders,
    );
    const weightMs = request.plan.machine.weight[effect.task] ?? 0;
    const job = weightMs > 0 ? { ...prepared.job, weightMs } : prepared.job;
    return { type: "prepared", record: prepared.record, job };
  }
}

/** A request for more cpus than this machine has takes all of them, and the program is told how many. */
function granted(resources: ResourceRequest, backend: Backend | undefined): ResourceRequest {
  if (resources.cpusMilli === undefined || backend?.capabilities.local !== true) return resources;
  const cpusMilli = Math.min(resources.cpusMilli, backend.limits().cpusMilli ?? Infinity);
  return { ...resources, cpusMilli };
}

/** The attempt, when it was recorded but never settled. */
export function unsettled(
  attempt: StoredAttempt | undefined,
): (StoredAttempt & { record: AttemptRecord }) | undefined {
  if (attempt?.record === undefined || attempt.result !== undefined) return undefined;
  return attempt as StoredAttempt & { record: AttemptRecord };
}
