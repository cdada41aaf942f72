// The expression language of `when`, `require`, `where` and of queries over records:
//
//   params.lr < 0.1 and not (matrix.seed in [0, 1]) or metrics.val.acc.max >= 0.9
//
// Comparisons (`== != < <= > >= in contains matches`, `is` for `==`, `~` for `matches`), `and or not`
// (also `&& || !` and `& | ~`), names with dots, numbers, durations in seconds (`90s`, `1h30m`), sizes
// in bytes (`8GB`), texts in quotes, `true false null`, lists in brackets. No arithmetic, no calls.

import { parseBytes, parseDuration } from "../../model/units.ts";

/** A place in the text of an expression, half-open. */
interface Range {
  readonly start: number;
  readonly end: number;
}

export type Operator =
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "in"
  | "not in"
  | "contains"
  | "matches";

export type Expression = Range &
  (
    | { readonly kind: "or" | "and"; readonly terms: readonly Expression[] }
    | { readonly kind: "not"; readonly term: Expression }
    | {
        readonly kind: "compare";
        readonly operator: Operator;
        readonly left: Expression;
        readonly right: Expression;
      }
    | { readonly kind: "list"; readonly items: readonly Expression[] }
    | { readonly kind: "name"; readonly name: string }
    | {
        readonly kind: "literal";
        readonly value: string | number | boolean | null;
        /** As written; numbers compare with texts by it when they are equal as texts. */
        readonly text: string;
      }
  );

/** Why a text is no expression, or not one that makes sense. */
export interface ExpressionProblem extends Range {
  readonly message: string;
  readonly fix: string | undefined;
}

export interface Token extends Range {
  readonly type: "number" | "text" | "name" | "operator" | "end";
  /** Of a text: without quotes. Word operators are names. Of a duration or size: the plain number. */
  readonly text: string;
}

const SPACE = /\s*/y;
const TOKEN =
  /(?<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))|(?<quantity>\d[\d.]*[A-Za-z](?:[\w.]*\w)?)|(?<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<name>[A-Za-z_][\w-]*(?:\.[\w-]+(?:\/[A-Za-z_][\w-]*)*|\[\*\])*)|(?<operator>==|!=|<=|>=|&&|\|\||[<>=!&|~()[\],])/y;

/** The tokens of `text`, the last of type `end`; or the first character that starts none. */
export function tokenize(text: string): readonly Token[] | ExpressionProblem {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    SPACE.lastIndex = at;
    at += SPACE.exec(text)?.[0].length ?? 0;
    if (at >= text.length) {
      tokens.push({ type: "end", text: "", start: at, end: at });
      return tokens;
    }
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) return strange(text, at);
    const [whole] = match;
    const end = at + whole.length;
    const { number, quantity, text: quoted, name } = match.groups ?? {};
    if (quantity !== undefined) {
      const value = amountOf(quantity);
      if (value === undefined) return strange(text, at);
      tokens.push({ type: "number", text: String(value), start: at, end });
    } else if (number !== undefined) tokens.push({ type: "number", text: whole, start: at, end });
    else if (name !== undefined) tokens.push({ type: "name", text: whole, start: at, end });
    else if (quoted === undefined) tokens.push({ type: "operator", text: whole, start: at, end });
    else {
      const inner = quoted.slice(1, -1).replace(/\\(.)/gs, "$1");
      tokens.push({ type: "text", text: inner, start: at, end });
    }
    at = end;
  }
}

/** Seconds of a duration, bytes of a size; `m` is minutes. */
function amountOf(quantity: string): number | undefined {
  const duration = parseDuration(quantity);
  return duration === undefined ? parseBytes(quantity) : duration / 1000;
}

function strange(text: string, start: number): ExpressionProblem {
  const character = text.charAt(start);
  if (character === "'" || character === '"') {
    return {
      message: `this text has no closing ${character}`,
      fix: undefined,
      start,
      end: text.length,
    };
  }
  if (character === "$") {
    return {
      message: "an expression names values without `${{ }}`",
      fix: "Write `params.x` for `${{ params.x }}`.",
      start,
      end: text.startsWith("${{", start) ? start + 3 : start + 1,
    };
  }
  if (/\d/.test(character)) {
    const word = /^[\w.]+/.exec(text.slice(start))?.[0] ?? character;
    return {
      message: `\`${word}\` is no number, duration or size`,
      fix: "Durations are written `90s` or `1h30m`, sizes `8GB` or `512MiB`, text in quotes.",
      start,
      end: start + word.length,
    };
  }
  const isArithmetic = /[-+*/%]/.test(character);
  return {
    message: isArithmetic
      ? `there is no arithmetic in expressions, found \`${character}\``
      : `\`${character}\` means nothing in an expression`,
    fix: isArithmetic ? "Put text with such characters in quotes." : undefined,
    start,
    end: start + 1,
  };
}
