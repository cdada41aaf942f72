// What `flow graph --status` says about a node: the states of the tasks behind it.

import { compilePlan, openInspector, openState } from "@flow/core";
import type { Io } from "../io.ts";
import type { OpenedProject } from "../project.ts";
import { type TaskState, taskStates } from "../record/task-states.ts";
import { groupState } from "../report/state-signs.ts";
import type { NodeStatus } from "./formats.ts";

/** Judges these tasks (with all they need) by index. Never writes. */
export async function readNodeStatus(
  { graph, secretValues }: OpenedProject,
  tasks: readonly number[],
  io: Io,
): Promise<NodeStatus> {
  const plan = compilePlan(graph, { tasks, asked: tasks });
  const env = { ...io.env, ...secretValues };
  const state = openState(plan.project.root);
  const judged = await taskStates(plan, openInspector(plan, state, { env }), env);
  const states = new Map<string, TaskState>(judged.tasks.map((one) => [one.task.id, one.state]));
  return (node) => groupState(node.tasks.map(({ id }) => states.get(id) ?? "stale"));
}
