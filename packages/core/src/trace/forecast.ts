// What a run would do, without doing it: every task judged as things are now, and those behind a
// task that would run marked as depending on what it will make.

import { neighbours } from "../graph/adjacency.ts";
import type { Plan } from "../graph/plan.ts";
import type { Inspector } from "./inspect.ts";
import type { InputProblem, Reason } from "./trace.ts";

/** What would become of one task. */
export interface Prospect {
  /**
   * `fresh`: nothing to do. `stale`: would run. `pending`: would run if what comes before it makes
   * something else than last time. `impossible`: an input is missing or cannot be read.
   */
  readonly verdict: "fresh" | "stale" | "pending" | "impossible";
  readonly reasons: readonly Reason[];
  readonly problems: readonly InputProblem[];
  /** Targets that were edited by hand and are kept. */
  readonly modifiedTargets: readonly string[];
}

/** One prospect per task of the plan, in its order. */
export async function forecast(plan: Plan, inspector: Inspector): Promise<readonly Prospect[]> {
  const prospects: Prospect[] = [];
  for (const [index, task] of plan.tasks.entries()) {
    const upstream = runningFirst(plan, index, prospects);
    const inspection = await inspector.inspect(task);
    if (inspection.verdict === "impossible") {
      prospects.push({
        verdict: upstream.length > 0 ? "stale" : "impossible",
        reasons: upstream,
        problems: upstream.length > 0 ? [] : inspection.problems,
        modifiedTargets: [],
      });
    } else {
      const { verdict, reasons, modifiedTargets } = inspection;
      prospects.push({
        verdict: verdict === "fresh" && upstream.length > 0 ? "pending" : verdict,
        reasons: [...reasons, ...upstream],
        problems: [],
        modifiedTargets,
      });
    }
  }
  return prospects;
}

/** Reasons for the dependencies whose results matter and that would or might run. */
function runningFirst(
  { tasks, dependencies, orderOnly }: Plan,
  index: number,
  prospects: readonly Prospect[],
): readonly Reason[] {
  const first = dependencies.start[index] ?? 0;
  return [...neighbours(dependencies, index)].flatMap((dependency, position): Reason[] => {
    const { verdict } = prospects[dependency] ?? { verdict: "fresh" };
    if (verdict === "fresh" || orderOnly[first + position] === 1) return [];
    const name = tasks[dependency]?.id ?? "";
    return [{ component: "upstream", name, old: undefined, new: undefined }];
  });
}
