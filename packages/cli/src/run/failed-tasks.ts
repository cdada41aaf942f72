// `--failed`: tasks that did not finish: their last attempt did not succeed, or they were selected and
// never ran, or they wait for one of those. Without selectors that is every task of the project with a
// bad end, whoever asked for it, and what of the default never ran.

import {
  lastAttempt,
  nodeFileSystem,
  openGraph,
  openPlan,
  openState,
  type PlanRequest,
  type Task,
} from "@flow/core";

/**
 * The request with its selectors replaced by those tasks; undefined when there are none. A request
 * that cannot be planned comes back as it is, so that its errors are shown in the usual way.
 */
export async function failedTasks(request: PlanRequest): Promise<PlanRequest | undefined> {
  const opened = await openPlan(request, undefined);
  if (!opened.ok) return request;
  const { tasks, project } = opened.value.plan;
  const { layout, traces } = openState(project.root);
  const endOf = ({ key, actions, allowFailure }: Task): "bad" | "good" | "none" => {
    const attempt = lastAttempt(layout, key, nodeFileSystem);
    if (attempt === undefined) {
      return actions.length === 0 || traces.get(key) !== undefined ? "good" : "none";
    }
    const outcome = attempt.result?.outcome.type;
    return outcome === "success" || (allowFailure && outcome === "failed") ? "good" : "bad";
  };
  const unfinished = new Set(tasks.filter((task) => endOf(task) !== "good").map(({ id }) => id));
  for (const task of request.selectors.length === 0 ? await allTasks(request) : []) {
    if (endOf(task) === "bad") unfinished.add(task.id);
  }
  if (unfinished.size === 0) return undefined;
  // What is downstream of them and was reached is found fresh; what was blocked runs.
  return { ...request, selectors: [...unfinished].map((id) => `${id}+`) };
}

async function allTasks(request: PlanRequest): Promise<readonly Task[]> {
  const graph = await openGraph(request);
  return graph.ok ? graph.value.graph.tasks : [];
}
