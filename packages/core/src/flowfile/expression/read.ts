// Expressions in a flow file: parsed and checked when the file is read, with their places.

import type { Span } from "../../model/task.ts";
import type { Node } from "../document/node.ts";
import { placeWithin, spanOf, textOf } from "../document/node.ts";
import type { Loading } from "../tasks/scope.ts";
import type { KnownNames } from "./check.ts";
import { checkExpression } from "./check.ts";
import { parseExpression } from "./parse.ts";
import type { Expression, ExpressionProblem } from "./syntax.ts";

export interface ReadExpression {
  /** Without `${{ }}` around it, which people write out of habit. */
  readonly text: string;
  readonly expression: Expression;
}

/** The expression in a scalar; undefined after it has said what is wrong. */
export function readExpression(
  node: Node,
  known: KnownNames,
  loading: Loading,
): ReadExpression | undefined {
  const whole = textOf(node).trim();
  const text = (/^\$\{\{((?:(?!\$\{\{).)*)\}\}$/s.exec(whole)?.[1] ?? whole).trim();
  const parsed = parseExpression(text);
  const problems = parsed.ok ? checkExpression(parsed.value, known) : [parsed.error];
  for (const problem of problems) {
    const span = place(node, text, problem, loading);
    loading.report.error("bad-expression", span, problem.message, { fix: problem.fix });
  }
  return parsed.ok && problems.length === 0 ? { text, expression: parsed.value } : undefined;
}

function place(node: Node, text: string, problem: ExpressionProblem, loading: Loading): Span {
  const source = loading.sources[node.file]?.text ?? "";
  const whole = placeWithin(node, source, text);
  if (text === "" || whole.end - whole.start !== text.length) return spanOf(node);
  return { ...whole, start: whole.start + problem.start, end: whole.start + problem.end };
}
