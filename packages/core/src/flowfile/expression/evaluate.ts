// Evaluates an expression over a scope. Total: what is missing compares as `null` does, nothing
// throws.

import type { Expression, Operator } from "./syntax.ts";

/** What a name can stand for. Texts that look like numbers compare with numbers as numbers. */
export type Value = string | number | boolean | null | readonly Value[];

/** The value of a dotted name; undefined when there is none. */
export type Scope = (name: string) => Value | undefined;

/** Does the expression hold? False, null, 0 and the texts "" and "false" do not. */
export function evaluate(expression: Expression, scope: Scope): boolean {
  switch (expression.kind) {
    case "or":
      return expression.terms.some((term) => evaluate(term, scope));
    case "and":
      return expression.terms.every((term) => evaluate(term, scope));
    case "not":
      return !evaluate(expression.term, scope);
    case "compare":
      return compare(
        expression.operator,
        resolveValue(expression.left, scope),
        resolveValue(expression.right, scope),
      );
    default:
      return isTrue(resolveValue(expression, scope));
  }
}

/** The value of a name, literal or list; of anything else, whether it holds. */
function resolveValue(expression: Expression, scope: Scope): Value {
  switch (expression.kind) {
    case "name":
      return scope(expression.name) ?? null;
    case "literal":
      return expression.value;
    case "list":
      return expression.items.map((item) => resolveValue(item, scope));
    default:
      return evaluate(expression, scope);
  }
}

function isTrue(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== null && value !== false && value !== 0 && value !== "" && value !== "false";
}

function compare(operator: Operator, left: Value, right: Value): boolean {
  switch (operator) {
    case "==":
      return isEqual(left, right);
    case "!=":
      return !isEqual(left, right);
    case "in":
      return isIn(left, right);
    case "not in":
      return !isIn(left, right);
    case "contains":
      return isIn(right, left) || (typeof left === "string" && left.includes(String(right)));
    case "matches":
      return isMatch(left, right);
    default:
      return isOrdered(operator, left, right);
  }
}

function isEqual(left: Value, right: Value): boolean {
  if (isList(left) || isList(right)) {
    if (!isList(left) || !isList(right) || left.length !== right.length) return false;
    return left.every((item, index) => isEqual(item, right[index] ?? null));
  }
  if (left === null || right === null) return left === right;
  if (typeof left === "number" || typeof right === "number") {
    const [a, b] = [numeric(left), numeric(right)];
    return a !== undefined && a === b;
  }
  return String(left) === String(right);
}

function isIn(left: Value, right: Value): boolean {
  return isList(right) && right.some((item) => isEqual(left, item));
}

function isMatch(left: Value, right: Value): boolean {
  if (typeof right !== "string" || left === null || isList(left)) return false;
  try {
    return new RegExp(right, "u").test(String(left));
  } catch {
    return false;
  }
}

function isOrdered(operator: "<" | "<=" | ">" | ">=", left: Value, right: Value): boolean {
  const order = ordering(left, right);
  if (order === undefined) return false;
  if (operator === "<") return order < 0;
  if (operator === "<=") return order <= 0;
  return operator === ">" ? order > 0 : order >= 0;
}

/** Negative, zero or positive; undefined for values that have no order. */
function ordering(left: Value, right: Value): number | undefined {
  const [a, b] = [numeric(left), numeric(right)];
  if (a !== undefined && b !== undefined) return a - b;
  if (typeof left !== "string" || typeof right !== "string") return undefined;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** A number, or a text that is one. */
function numeric(value: Value): number | undefined {
  if (typeof value === "number") return Number.isNaN(value) ? undefined : value;
  if (
    typeof value !== "string" ||
    !/^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*$/.test(value)
  ) {
    return undefined;
  }
  return Number(value);
}

const isList = (value: Value): value is readonly Value[] => Array.isArray(value);
