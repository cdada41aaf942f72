// Conditions of tasks when they are ready: `when` and `require` over the task's own values.

import type { Result } from "../../model/result.ts";
import { err, ok } from "../../model/result.ts";
import type { Task } from "../../model/task.ts";
import type { Scope, Value } from "./evaluate.ts";
import { evaluate } from "./evaluate.ts";
import { parseExpression } from "./parse.ts";

/** What a condition sees beside the task itself. */
export interface ConditionInput {
  /** flow's environment; the task's own `env:` comes first. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Values under `uses:` by name; absent ones are missing. */
  readonly uses: Readonly<Record<string, unknown>>;
}

/** Does `expression` hold for `task`? The error is one sentence. */
export function holds(
  expression: string,
  task: Task,
  input: ConditionInput,
): Result<boolean, string> {
  const parsed = parseExpression(expression);
  if (!parsed.ok) return err(parsed.error.message);
  return ok(evaluate(parsed.value, taskScope(task, input)));
}

/** `params.x`, `matrix.x`, `env.X`, `task.id|name|slug`, `uses.name.key`. */
function taskScope(task: Task, { env, uses }: ConditionInput): Scope {
  return (name) => {
    const dot = name.indexOf(".");
    const rest = name.slice(dot + 1);
    switch (dot === -1 ? name : name.slice(0, dot)) {
      case "params":
      case "matrix":
        return task.params[rest] ?? task.axes[rest];
      case "env":
        return task.env[rest] ?? env[rest];
      case "task":
        return rest === "id" ? task.id : rest === "name" ? task.template : task.slug;
      case "uses":
        return asValue(dig(uses, rest));
      default:
        return undefined;
    }
  };
}

/** The value at a dotted path in JSON; the longest key that fits wins. */
function dig(data: unknown, path: string): unknown {
  if (typeof data !== "object" || data === null) return undefined;
  if (Object.hasOwn(data, path)) return (data as Record<string, unknown>)[path];
  for (let dot = path.lastIndexOf("."); dot > 0; dot = path.lastIndexOf(".", dot - 1)) {
    const key = path.slice(0, dot);
    if (Object.hasOwn(data, key)) {
      return dig((data as Record<string, unknown>)[key], path.slice(dot + 1));
    }
  }
  return undefined;
}

function asValue(data: unknown): Value | undefined {
  if (Array.isArray(data)) return data.map((item: unknown) => asValue(item) ?? null);
  const isScalar =
    data === null ||
    typeof data === "string" ||
    typeof data === "number" ||
    typeof data === "boolean";
  return isScalar ? data : undefined;
}
