// The tasks whose programs this command runs inside of, of which its environment names the innermost. A
// command that asked for one of them would wait for itself.

import { type EnclosingTask, enclosingTasks, nodeFileSystem, runId, taskKey } from "@flow/core";
import type { Io } from "../io.ts";

/** The task whose program started this command, as far as its environment says. */
export function enclosingTask({ env }: Pick<Io, "env">): EnclosingTask | undefined {
  const { FLOW_PROJECT_DIR: project, FLOW_RUN_ID: run, FLOW_TASK_ID: task } = env;
  if (project === undefined || run === undefined || task === undefined) return undefined;
  return { project, run: runId(run), task: taskKey(task) };
}

/** Why a command that asks for these tasks would wait for itself; undefined: it would not. */
export function waitForItself(
  { root, tasks }: { readonly root: string; readonly tasks: readonly { readonly key: string }[] },
  io: Pick<Io, "env">,
): string | undefined {
  const chain = enclosingTasks(enclosingTask(io), nodeFileSystem);
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
