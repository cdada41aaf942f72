// The tasks whose programs a command runs inside of, which cannot end before it does: what started it
// knows the innermost, and each run has on record the task inside of which it began.

import type { RunId } from "../model/ids.ts";
import type { FileSystem } from "../ports/file-system.ts";
import { lastAttempt } from "../record/attempt-record.ts";
import { layout } from "./layout.ts";
import type { EnclosingTask } from "./services.ts";

/** A task that waits for what its program started. */
export interface WaitingTask extends EnclosingTask {
  /** As people know it. */
  readonly id: string;
  /** The folder of the attempt that runs. */
  readonly attempt: string;
}

/** All that have not ended, the one given first. An environment that outlived its task counts for nothing. */
export function enclosingTasks(
  innermost: EnclosingTask | undefined,
  files: FileSystem,
): readonly WaitingTask[] {
  const found: WaitingTask[] = [];
  let next = innermost;
  while (next !== undefined) {
    const { project, run, task } = next;
    const last = lastAttempt(layout(project), task, files);
    const isAlive = last?.record?.run === run && last.result === undefined;
    if (!isAlive || found.some((inner) => inner.run === run && inner.task === task)) break;
    found.push({ ...next, id: last.record.task.id, attempt: last.directory });
    next = insideOf(project, run, files);
  }
  return found;
}

/** The task inside of which a run began; undefined: none, or not on record. */
function insideOf(project: string, run: RunId, files: FileSystem): EnclosingTask | undefined {
  const bytes = files.read(`${layout(project).run(run)}/run.json`);
  try {
    const { inside } = JSON.parse(Buffer.from(bytes ?? []).toString("utf8")) as {
      readonly inside?: Partial<EnclosingTask>;
    };
    const { project: outer, run: by, task } = inside ?? {};
    if (typeof outer !== "string" || typeof by !== "string" || typeof task !== "string") {
      return undefined;
    }
    return { project: outer, run: by, task };
  } catch {
    return undefined;
  }
}
