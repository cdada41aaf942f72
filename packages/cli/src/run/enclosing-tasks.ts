// The tasks whose programs this command runs inside of, which cannot end before it does: its own
// environment names the innermost, and each run has on record the task inside of which it began. A
// command that asked for one of them would wait for itself.

import {
  type EnclosingTask,
  lastAttempt,
  layout,
  nodeFileSystem,
  runId,
  taskKey,
} from "@flow/core";
import type { Io } from "../io.ts";

/** A task that waits for this command. */
interface WaitingTask extends EnclosingTask {
  /** As people know it. */
  readonly id: string;
}

/** The task whose program started this command, as far as its environment says. */
export function enclosingTask({ env }: Pick<Io, "env">): EnclosingTask | undefined {
  const { FLOW_PROJECT_DIR: project, FLOW_RUN_ID: run, FLOW_TASK_ID: task } = env;
  if (project === undefined || run === undefined || task === undefined) return undefined;
  return { project, run: runId(run), task: taskKey(task) };
}

/** All of them that have not ended, innermost first. An environment that outlived its task counts for nothing. */
function enclosingTasks(io: Pick<Io, "env">): readonly WaitingTask[] {
  const found: WaitingTask[] = [];
  let next = enclosingTask(io);
  while (next !== undefined) {
    const { project, run, task } = next;
    const { record, result } = lastAttempt(layout(project), task, nodeFileSystem) ?? {};
    const isAlive = record?.run === run && result === undefined;
    if (!isAlive || found.some((inner) => inner.run === run && inner.task === task)) break;
    found.push({ ...next, id: record.task.id });
    next = insideOf(project, run);
  }
  return found;
}

/** Why a command that asks for these tasks would wait for itself; undefined: it would not. */
export function waitForItself(
  { root, tasks }: { readonly root: string; readonly tasks: readonly { readonly key: string }[] },
  io: Pick<Io, "env">,
): string | undefined {
  const chain = enclosingTasks(io);
  const place = chain.findIndex(
    ({ project, task }) => project === root && tasks.some(({ key }) => key === task),
  );
  const waiting = chain[place];
  if (waiting === undefined) return undefined;
  const { id } = waiting;
  if (place === 0) {
    return `the task \`${id}\` runs this command and is itself among the tasks that are asked for, so it would wait for itself; ask for others, or add \`!${id}\``;
  }
  const steps = chain.slice(0, place + 1).toReversed();
  const path = steps.map((step) => `\`${step.id}\` (run ${step.run})`).join(" → ");
  return `the task \`${id}\` is among the tasks that are asked for, and waits itself for this command to end: ${path} → this command; ask for others, or add \`!${id}\``;
}

/** The task inside of which a run began; undefined: none, or not on record. */
function insideOf(project: string, run: EnclosingTask["run"]): EnclosingTask | undefined {
  const bytes = nodeFileSystem.read(`${layout(project).run(run)}/run.json`);
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
