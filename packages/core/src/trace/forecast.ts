// What a run would do, without doing it: every task judged as things are now, and those behind a
// task that would run marked as depending on what it will make.

import { neighbours } from "../graph/adjacency.ts";
import type { Plan } from "../graph/plan.ts";
import type { TemporaryTarget } from "../graph/temporary.ts";
import type { Task } from "../model/task.ts";
import type { Inspector } from "./inspect.ts";
import { nameLeftOut } from "./left-out.ts";
import type { InputProblem, Inspection, Reason } from "./trace.ts";

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
  /** Targets that are gone because everything that uses them was done. */
  readonly usedUp: readonly string[];
}

/** One prospect per task of the plan, in its order. `isLeftOut`: its `when` does not hold now. */
export async function forecast(
  plan: Plan,
  inspector: Inspector,
  isLeftOut: (task: Task) => boolean,
): Promise<readonly Prospect[]> {
  const inspections: Inspection[] = [];
  for (const task of plan.tasks) inspections.push(await inspector.inspect(task));
  const gone = inspector.temporary.usedUp();
  const leftOut = plan.tasks.map(isLeftOut);
  let prospects = judge(plan, inspections, gone, new Map(), leftOut);
  for (let known = 0; ; ) {
    const restored = toRestore(plan, prospects, gone, isLeftOut);
    if (restored.size === known) return prospects;
    known = restored.size;
    prospects = judge(plan, inspections, gone, restored, leftOut);
  }
}

/**
 * Has targets that were removed after use made again where a task may need them in this run: they
 * have to be there before anything behind their maker is even looked at.
 */
export async function demandUsedUp(
  plan: Plan,
  inspector: Inspector,
  isLeftOut: (task: Task) => boolean,
): Promise<void> {
  const gone = inspector.temporary.usedUp();
  if (gone.length === 0) return;
  const prospects = await forecast(plan, inspector, isLeftOut);
  for (const [index, reasons] of toRestore(plan, prospects, gone, isLeftOut)) {
    const task = plan.tasks[index];
    if (task !== undefined) inspector.temporary.demand(task.key, reasons);
  }
}

function judge(
  plan: Plan,
  inspections: readonly Inspection[],
  gone: readonly TemporaryTarget[],
  restored: ReadonlyMap<number, readonly Reason[]>,
  leftOut: readonly boolean[],
): readonly Prospect[] {
  const absent = plan.tasks.filter((_, index) => leftOut[index] === true);
  const prospects: Prospect[] = [];
  for (const [index, inspection] of inspections.entries()) {
    const upstream = runningFirst(plan, index, prospects, leftOut);
    const usedUp = gone.filter(({ task }) => task === index).map(({ path }) => path);
    if (inspection.verdict === "impossible") {
      prospects.push({
        verdict: upstream.length > 0 ? "stale" : "impossible",
        reasons: upstream,
        problems:
          upstream.length > 0
            ? []
            : inspection.problems.map((problem) => nameLeftOut(problem, absent)),
        modifiedTargets: [],
        usedUp,
      });
    } else {
      const { reasons, modifiedTargets } = inspection;
      const again = inspection.verdict === "fresh" ? (restored.get(index) ?? []) : [];
      const verdict = again.length > 0 ? "stale" : inspection.verdict;
      prospects.push({
        verdict: verdict === "fresh" && upstream.length > 0 ? "pending" : verdict,
        reasons: [...reasons, ...again, ...upstream],
        problems: [],
        modifiedTargets,
        usedUp,
      });
    }
  }
  return prospects;
}

/** Makers of used up targets that a task which would or might run needs, with the reasons. */
function toRestore(
  { tasks }: Plan,
  prospects: readonly Prospect[],
  gone: readonly TemporaryTarget[],
  isLeftOut: (task: Task) => boolean,
): ReadonlyMap<number, readonly Reason[]> {
  const found = new Map<number, readonly Reason[]>();
  for (const { path, task: maker, users } of gone) {
    if (maker === undefined || tasks[maker]?.frozen === true) continue;
    const isNeeding = (verdict: Prospect["verdict"], index: number): boolean => {
      const task = tasks[index];
      return prospects[index]?.verdict === verdict && task !== undefined && !isLeftOut(task);
    };
    const user =
      users.find((index) => isNeeding("stale", index)) ??
      users.find((index) => isNeeding("pending", index));
    if (user === undefined) continue;
    const name = tasks[user]?.id;
    const reason: Reason = { component: "target-used", name: path, old: undefined, new: name };
    found.set(maker, [...(found.get(maker) ?? []), reason]);
  }
  return found;
}

/** Reasons for the dependencies whose results matter and that would or might run. */
function runningFirst(
  { tasks, dependencies, orderOnly }: Plan,
  index: number,
  prospects: readonly Prospect[],
  leftOut: readonly boolean[],
): readonly Reason[] {
  const first = dependencies.start[index] ?? 0;
  return [...neighbours(dependencies, index)].flatMap((dependency, position): Reason[] => {
    const { verdict } = prospects[dependency] ?? { verdict: "fresh" };
    if (verdict === "fresh" || leftOut[dependency] === true) return [];
    if (orderOnly[first + position] === 1) return [];
    const name = tasks[dependency]?.id ?? "";
    return [{ component: "upstream", name, old: undefined, new: undefined }];
  });
}
