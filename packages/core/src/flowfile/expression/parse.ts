// Recursive descent over the tokens of an expression.

import type { Result } from "../../model/result.ts";
import { err, ok } from "../../model/result.ts";
import type { Expression, ExpressionProblem, Operator, Token } from "./syntax.ts";
import { tokenize } from "./syntax.ts";

/** The expression in `text`, or the first problem with its place. */
export function parseExpression(text: string): Result<Expression, ExpressionProblem> {
  const tokens = tokenize(text);
  if (!isTokens(tokens)) return err(tokens);
  return new Parser(tokens).whole();
}

const isTokens = (tokens: readonly Token[] | ExpressionProblem): tokens is readonly Token[] =>
  Array.isArray(tokens);

type Parsed = Result<Expression, ExpressionProblem>;

const OPERATORS: Readonly<Record<string, Operator>> = {
  "==": "==",
  "=": "==",
  "!=": "!=",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
  in: "in",
  is: "==",
  contains: "contains",
  matches: "matches",
  "~": "matches",
};

const MAX_DEPTH = 100;

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Parsed {
    if (this.#peek().type === "end") return this.#fail("the expression is empty");
    const expression = this.#or();
    if (!expression.ok || this.#peek().type === "end") return expression;
    const { text } = this.#peek();
    return this.#fail(`unexpected \`${text}\`; expected an operator such as \`and\` or \`==\``);
  }

  #or(): Parsed {
    return this.#chain("or", ["or", "||", "|"], () => this.#and());
  }

  #and(): Parsed {
    return this.#chain("and", ["and", "&&", "&"], () => this.#not());
  }

  #chain(kind: "or" | "and", words: readonly string[], next: () => Parsed): Parsed {
    const first = next();
    if (!first.ok) return first;
    const terms = [first.value];
    while (this.#isWord(words)) {
      this.#at += 1;
      const term = next();
      if (!term.ok) return term;
      terms.push(term.value);
    }
    if (terms.length === 1) return first;
    return ok({ kind, terms, start: first.value.start, end: terms.at(-1)?.end ?? first.value.end });
  }

  #not(): Parsed {
    const token = this.#peek();
    if (!this.#isWord(["not", "!", "~"])) return this.#comparison();
    this.#at += 1;
    const term = this.#nested(() => this.#not());
    return term.ok
      ? ok({ kind: "not", term: term.value, start: token.start, end: term.value.end })
      : term;
  }

  #comparison(): Parsed {
    const left = this.#operand();
    if (!left.ok) return left;
    const operator = this.#operator();
    if (operator === undefined) return left;
    const right = this.#operand();
    if (!right.ok) return right;
    if (this.#operator() !== undefined) {
      this.#at -= 1;
      return this.#fail("comparisons do not chain", "Join two of them with `and`.");
    }
    return ok({
      kind: "compare",
      operator,
      left: left.value,
      right: right.value,
      start: left.value.start,
      end: right.value.end,
    });
  }

  #operator(): Operator | undefined {
    if (this.#isWord(["not"]) && this.#tokens[this.#at + 1]?.text === "in") {
      this.#at += 2;
      return "not in";
    }
    const { type, text } = this.#peek();
    const isWord = type === "operator" || type === "name";
    const operator = isWord && Object.hasOwn(OPERATORS, text) ? OPERATORS[text] : undefined;
    if (operator === undefined) return undefined;
    this.#at += 1;
    if (text !== "is" || !this.#isWord(["not"])) return operator;
    this.#at += 1;
    return "!=";
  }

  #operand(): Parsed {
    const token = this.#peek();
    const { type, text, start, end } = token;
    this.#at += 1;
    if (type === "number") return ok({ kind: "literal", value: Number(text), text, start, end });
    if (type === "text") return ok({ kind: "literal", value: text, text, start, end });
    if (type === "name" && !RESERVED.has(text)) return ok(word(token));
    if (text === "(" && type === "operator") {
      const inner = this.#nested(() => this.#or());
      if (!inner.ok) return inner;
      return this.#take(")") ? inner : this.#fail("a `(` is not closed");
    }
    if (text === "[" && type === "operator") return this.#list(start);
    this.#at -= 1;
    return this.#fail(
      type === "end"
        ? "the expression ends where a value is expected"
        : `unexpected \`${text}\` where a value is expected`,
    );
  }

  #list(start: number): Parsed {
    const items: Expression[] = [];
    while (!this.#take("]")) {
      if (items.length > 0 && !this.#take(",")) return this.#fail("a list needs `,` or `]` here");
      const item = this.#nested(() => this.#operand());
      if (!item.ok) return item;
      items.push(item.value);
    }
    return ok({ kind: "list", items, start, end: this.#tokens[this.#at - 1]?.end ?? start });
  }

  #nested(parse: () => Parsed): Parsed {
    if (this.#depth >= MAX_DEPTH) return this.#fail("the expression is nested too deep");
    this.#depth += 1;
    const result = parse();
    this.#depth -= 1;
    return result;
  }

  #peek(): Token {
    return this.#tokens[this.#at] ?? END;
  }

  #isWord(words: readonly string[]): boolean {
    const { type, text } = this.#peek();
    return (type === "name" || type === "operator") && words.includes(text);
  }

  #take(operator: string): boolean {
    const { type, text } = this.#peek();
    if (type !== "operator" || text !== operator) return false;
    this.#at += 1;
    return true;
  }

  #fail(message: string, fix?: string): Parsed {
    const { start, end } = this.#peek();
    return err({ message, fix, start, end: Math.max(end, start + 1) });
  }
}

const RESERVED = new Set(["and", "or", "not", "in", "is", "contains", "matches"]);
const END: Token = { type: "end", text: "", start: 0, end: 0 };
const WORDS = new Map<string, boolean | null>([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["null", null],
  ["None", null],
]);

function word({ text, start, end }: Token): Expression {
  const value = WORDS.get(text);
  if (value !== undefined) return { kind: "literal", value, text, start, end };
  return { kind: "name", name: text, start, end };
}
