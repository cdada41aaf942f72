// What can be wrong with an expression before its values are known: names that mean nothing,
// comparisons that can never hold.

import { didYouMean } from "../../diagnostics/suggest.ts";
import type { Expression, ExpressionProblem } from "./syntax.ts";

/** The names an expression may use. */
export interface KnownNames {
  has(name: string): boolean;
  /** For suggestions. */
  readonly examples: Iterable<string>;
}

/** All problems in the order of the text. */
export function checkExpression(
  expression: Expression,
  known: KnownNames,
): readonly ExpressionProblem[] {
  switch (expression.kind) {
    case "or":
    case "and":
      return expression.terms.flatMap((term) => checkExpression(term, known));
    case "not":
      return checkExpression(expression.term, known);
    case "list":
      return expression.items.flatMap((item) => checkExpression(item, known));
    case "literal":
      return [];
    case "name":
      return known.has(expression.name) ? [] : [unknownName(expression, known)];
    case "compare":
      return [
        ...checkExpression(expression.left, known),
        ...checkExpression(expression.right, known),
        ...checkOperands(expression),
      ];
  }
}

function unknownName(
  { name, start, end }: Extract<Expression, { kind: "name" }>,
  known: KnownNames,
): ExpressionProblem {
  const bare = name.slice(name.indexOf(".") + 1);
  const suggestion = known.has(bare)
    ? `Did you mean \`${bare}\`?`
    : didYouMean(name, known.examples);
  const fix = suggestion ?? (name.includes(".") ? undefined : `If it is text, quote it: '${name}'`);
  return { message: `\`${name}\` means nothing here`, fix, start, end };
}

function checkOperands(
  expression: Extract<Expression, { kind: "compare" }>,
): readonly ExpressionProblem[] {
  const { operator, left, right } = expression;
  if (operator === "==" || operator === "!=" || operator === "contains") return [];
  if (operator === "matches") return checkPattern(right);
  if (operator === "in" || operator === "not in") {
    if (right.kind !== "literal") return [];
    return [{ ...rangeOf(right), message: "`in` needs a list", fix: `Write [${right.text}].` }];
  }
  for (const side of [left, right]) {
    const isOrderless =
      side.kind === "list" ||
      (side.kind === "literal" && (side.value === null || typeof side.value === "boolean"));
    if (isOrderless) {
      return [
        { ...rangeOf(side), message: `\`${operator}\` compares numbers or texts`, fix: undefined },
      ];
    }
  }
  return [];
}

function checkPattern(right: Expression): readonly ExpressionProblem[] {
  if (right.kind === "name") return [];
  if (right.kind !== "literal" || typeof right.value !== "string") {
    return [
      {
        ...rangeOf(right),
        message: "`matches` needs a regular expression in quotes",
        fix: undefined,
      },
    ];
  }
  try {
    new RegExp(right.value, "u");
    return [];
  } catch {
    const message = `\`${right.value}\` is not a regular expression`;
    return [{ ...rangeOf(right), message, fix: undefined }];
  }
}

const rangeOf = ({ start, end }: Expression): { readonly start: number; readonly end: number } => ({
  start,
  end,
});
