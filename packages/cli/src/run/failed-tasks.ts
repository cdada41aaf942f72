// `--failed`: the selected tasks that did not finish: their last attempt did not succeed, or they never
// ran, or they wait for one of those.

import { lastAttempt, nodeFileSystem, openPlan, openState, type PlanRequest } from "@flow/core";

/**
 * The request with its selectors replaced by those tasks; undefined when there are none. A request
 * that cannot be planned comes back as it is, so that its errors are shown in the usual way.
 */
export async function failedTasks(request: PlanRequest): Promise<PlanRequest | undefined> {
  const opened = await openPlan(request, undefined);
  if (!opened.ok) return request;
  const { tasks, project } = opened.value.plan;
  const { layout, traces } = openState(project.root);
  const unfinished = tasks.filter(({ key, actions }) => {
    const attempt = lastAttempt(layout, key, nodeFileSystem);
    if (attempt === undefined) return actions.length > 0 && traces.get(key) === undefined;
    return attempt.result?.outcome.type !== "success";
  });
  if (unfinished.length === 0) return undefined;
  // What is downstream of them and was reached is found fresh; what was blocked runs.
  return { ...request, selectors: unfinished.map(({ id }) => `${id}+`) };
}
