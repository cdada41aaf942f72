// `--failed`: the selected tasks whose last attempt did not succeed.

import { lastAttempt, nodeFileSystem, openPlan, openState, type PlanRequest } from "@flow/core";

/**
 * The request with its selectors replaced by those tasks; undefined when there are none. A request
 * that cannot be planned comes back as it is, so that its errors are shown in the usual way.
 */
export async function failedTasks(request: PlanRequest): Promise<PlanRequest | undefined> {
  const opened = await openPlan(request, undefined);
  if (!opened.ok) return request;
  const { layout } = openState(opened.value.plan.project.root);
  const failed = opened.value.plan.tasks.filter(({ key }) => {
    const attempt = lastAttempt(layout, key, nodeFileSystem);
    return attempt !== undefined && attempt.result?.outcome.type !== "success";
  });
  return failed.length === 0 ? undefined : { ...request, selectors: failed.map(({ id }) => id) };
}
