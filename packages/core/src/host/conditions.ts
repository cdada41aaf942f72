// `when:` and `require:` as things are when the task is ready, the values it uses read from their files.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ConditionVerdict } from "../engine/services.ts";
import { holds } from "../flowfile/expression/condition.ts";
import type { Plan } from "../graph/plan.ts";
import type { TaskId } from "../model/ids.ts";
import type { Condition, Task } from "../model/task.ts";

/** For one plan and environment. */
export function evaluateCondition(
  plan: Plan,
  env: Readonly<Record<string, string | undefined>>,
): (condition: Condition, task: Task) => ConditionVerdict {
  const readValues = (task: TaskId): unknown => {
    const file = plan.valuesFiles[task];
    if (file === undefined) return undefined;
    try {
      return JSON.parse(readFileSync(join(plan.project.root, file), "utf8"));
    } catch {
      return undefined;
    }
  };
  return ({ expression }, task) => {
    const verdict = holds(expression, task, { env, uses: usedValues(task, readValues) });
    return verdict.ok ? { holds: verdict.value } : { problem: verdict.error };
  };
}

/** What the task uses, by name; values that are not there yet are left out. */
function usedValues(
  task: Task,
  readValues: (task: TaskId) => unknown,
): Readonly<Record<string, unknown>> {
  const entries = task.uses.map(({ name, from, gathered, key }) => {
    const values = from.map((id) => [id, pick(readValues(id), key)] as const);
    return [name, gathered ? Object.fromEntries(values) : values[0]?.[1]] as const;
  });
  return Object.fromEntries(entries);
}

/** The part of a values file that a dotted key names; all of it without a key. */
function pick(values: unknown, key: string | undefined): unknown {
  if (key === undefined) return values;
  return key
    .split(".")
    .reduce<unknown>(
      (part, name) =>
        typeof part === "object" && part !== null
          ? (part as Record<string, unknown>)[name]
          : undefined,
      values,
    );
}
