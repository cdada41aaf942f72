// `when:` and `require:` as things are when the task is ready: parameters, axes, environment, values
// other tasks saved.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ConditionVerdict } from "../engine/services.ts";
import { evaluate, type Value } from "../flowfile/expression/evaluate.ts";
import { parseExpression } from "../flowfile/expression/parse.ts";
import type { Plan } from "../graph/plan.ts";
import type { Condition, Task } from "../model/task.ts";

/** For one plan and environment; what it reads, it reads when it is asked. */
export function evaluateCondition(
  plan: Plan,
  env: Readonly<Record<string, string | undefined>>,
): (condition: Condition, task: Task) => ConditionVerdict {
  const { params } = plan.project;
  return (condition, task) => {
    const parsed = parseExpression(condition.expression);
    if (!parsed.ok) return { problem: parsed.error.message };
    const scope = (name: string): Value | undefined => {
      const [head, ...rest] = name.split(".");
      const key = rest.join(".");
      if (head === "params") return task.params[key] ?? params[key] ?? task.axes[key];
      if (head === "matrix") return task.axes[key];
      if (head === "env") return env[key];
      if (head === "uses") return usedValue(plan, task, key);
      if (head === "task") return { id: task.id, name: task.template, slug: task.slug }[key];
      return undefined;
    };
    return { holds: evaluate(parsed.value, scope) };
  };
}

/** A value another task saved, by the name this task uses it under; undefined when there is none yet. */
function usedValue(plan: Plan, task: Task, name: string): Value | undefined {
  const use = task.uses.find((one) => name === one.name || name.startsWith(`${one.name}.`));
  const [from] = use?.from ?? [];
  const file = plan.tasks.find(({ id }) => id === from)?.values;
  if (use === undefined || file === undefined) return undefined;
  try {
    let value: unknown = JSON.parse(readFileSync(join(plan.project.root, file), "utf8"));
    const inner = name.slice(use.name.length + 1);
    const path = [...(use.key?.split(".") ?? []), ...(inner === "" ? [] : inner.split("."))];
    for (const part of path) value = (value as Record<string, unknown>)[part];
    return typeof value === "object" ? JSON.stringify(value) : (value as Value);
  } catch {
    return undefined;
  }
}
