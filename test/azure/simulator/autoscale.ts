/**
 * Evaluates the part of the autoscale language that is in common use: assignments, arithmetic, comparisons,
 * the choice `a ? b : c`, `min`, `max`, `avg`, `time` and samples of the task and node counts. Each series
 * has one sample, the present value; how many of the samples asked for there are depends on the pool's age.
 */
import type { BatchServiceModels as Models } from "@azure/batch";

export interface FormulaResult {
  readonly dedicated: number;
  readonly lowPriority: number;
  readonly deallocation: Models.ComputeNodeDeallocationOption;
}

/** What a formula can see; the targets are those that stand. */
export interface FormulaInput extends FormulaResult {
  readonly nowMs: number;
  /** Since the pool was made; no sample is older. */
  readonly ageMs: number;
  readonly activeTasks: number;
  readonly runningTasks: number;
  readonly currentDedicated: number;
  readonly currentLowPriority: number;
  readonly preempted: number;
  readonly slotsPerNode: number;
}

type Value = number | boolean | string | readonly number[];

/** The targets that a formula sets; those it leaves alone stand. Throws a sentence with the place. */
export function evaluateFormula(formula: string, input: FormulaInput): FormulaResult {
  const names = new Map<string, Value>(Object.entries(variables(input)));
  new Evaluator(tokens(formula), names, input).run();
  const target = (name: string): number => Math.max(0, Math.floor(asNumber(names.get(name) ?? 0)));
  const option = String(names.get("$NodeDeallocationOption")) as FormulaResult["deallocation"];
  return {
    dedicated: target("$TargetDedicatedNodes"),
    lowPriority: target("$TargetLowPriorityNodes"),
    deallocation: option,
  };
}

function variables(input: FormulaInput): Record<string, Value> {
  const series = (value: number): readonly number[] => [value];
  return {
    $TargetDedicatedNodes: input.dedicated,
    $TargetLowPriorityNodes: input.lowPriority,
    $NodeDeallocationOption: input.deallocation,
    $ActiveTasks: series(input.activeTasks),
    $RunningTasks: series(input.runningTasks),
    $PendingTasks: series(input.activeTasks + input.runningTasks),
    $CurrentDedicatedNodes: series(input.currentDedicated),
    $CurrentLowPriorityNodes: series(input.currentLowPriority),
    $PreemptedNodeCount: series(input.preempted),
    $TaskSlotsPerNode: input.slotsPerNode,
    requeue: "requeue",
    terminate: "terminate",
    taskcompletion: "taskcompletion",
    retaineddata: "retaineddata",
    true: true,
    false: false,
    TimeInterval_Zero: 0,
    TimeInterval_Second: 1000,
    TimeInterval_Minute: 60_000,
    TimeInterval_Hour: 3_600_000,
    TimeInterval_Day: 86_400_000,
    TimeInterval_Week: 604_800_000,
  };
}

interface Token {
  readonly text: string;
  readonly column: number;
  readonly line: number;
}

const TOKEN =
  /\s+|\/\/[^\n]*|"[^"]*"|\d+(?:\.\d+)?|[$A-Za-z_]\w*|<=|>=|==|!=|&&|\|\||[-+*/%<>=!?:;,.()]/gy;

function tokens(formula: string): readonly Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  for (let at = 0; at < formula.length; ) {
    const [text] = TOKEN.exec(formula) ?? [];
    const before = formula.slice(0, at).split("\n");
    const place = { line: before.length, column: (before.at(-1) ?? "").length + 1 };
    if (text === undefined) throw fail(place, `Invalid character: ${formula[at]}`);
    if (!/^(\s|\/\/)/.test(text)) found.push({ text, ...place });
    at += text.length;
  }
  return found;
}

const fail = ({ line, column }: { line: number; column: number }, text: string): Error =>
  new Error(`Line ${line}, Col ${column}: ${text}`);

const LEVELS: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["==", "!="],
  ["<", "<=", ">", ">="],
  ["+", "-"],
  ["*", "/", "%"],
];

class Evaluator {
  readonly #tokens: readonly Token[];
  readonly #names: Map<string, Value>;
  readonly #input: FormulaInput;
  #at = 0;

  constructor(list: readonly Token[], names: Map<string, Value>, input: FormulaInput) {
    this.#tokens = list;
    this.#names = names;
    this.#input = input;
  }

  run(): void {
    while (this.#at < this.#tokens.length) {
      const name = this.#take();
      if (this.#peek() !== "=") {
        this.#at -= 1;
        this.#choice();
        this.#expect(";");
        continue;
      }
      this.#expect("=");
      this.#names.set(name.text, this.#choice());
      if (this.#at < this.#tokens.length) this.#expect(";");
    }
  }

  #peek(): string | undefined {
    return this.#tokens[this.#at]?.text;
  }

  #take(): Token {
    const token = this.#tokens[this.#at];
    if (token === undefined)
      throw fail(this.#tokens.at(-1) ?? { line: 1, column: 1 }, "Unexpected end");
    this.#at += 1;
    return token;
  }

  #expect(text: string): void {
    const token = this.#take();
    if (token.text !== text) throw fail(token, `Expected \`${text}\`, found \`${token.text}\``);
  }

  #choice(): Value {
    const condition = this.#binary(0);
    if (this.#peek() !== "?") return condition;
    this.#expect("?");
    const yes = this.#choice();
    this.#expect(":");
    const no = this.#choice();
    return asNumber(condition) === 0 ? no : yes;
  }

  #binary(level: number): Value {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    while (operators.includes(this.#peek() ?? "")) {
      const operator = this.#take().text;
      left = apply(operator, asNumber(left), asNumber(this.#binary(level + 1)));
    }
    return left;
  }

  #unary(): Value {
    if (this.#peek() === "-") return -asNumber(this.#skip());
    if (this.#peek() === "!") return asNumber(this.#skip()) === 0;
    return this.#postfix();
  }

  #skip(): Value {
    this.#take();
    return this.#unary();
  }

  #postfix(): Value {
    let value = this.#primary();
    while (this.#peek() === ".") {
      this.#expect(".");
      const method = this.#take();
      const args = this.#arguments();
      value = sample(value, method, args, this.#input.ageMs);
    }
    return value;
  }

  #arguments(): readonly Value[] {
    const args: Value[] = [];
    this.#expect("(");
    while (this.#peek() !== ")") {
      args.push(this.#choice());
      if (this.#peek() === ",") this.#expect(",");
    }
    this.#expect(")");
    return args;
  }

  #primary(): Value {
    const token = this.#take();
    if (token.text === "(") {
      const value = this.#choice();
      this.#expect(")");
      return value;
    }
    if (token.text.startsWith('"')) return token.text.slice(1, -1);
    if (/^\d/.test(token.text)) return Number(token.text);
    if (this.#peek() === "(") return call(token, this.#arguments(), this.#input.nowMs);
    const value = this.#names.get(token.text);
    if (value === undefined) throw fail(token, `Undefined symbol: ${token.text}`);
    return value;
  }
}

function sample(value: Value, method: Token, args: readonly Value[], ageMs: number): Value {
  const series = Array.isArray(value) ? (value as readonly number[]) : [asNumber(value)];
  if (method.text === "GetSamplePercent")
    return Math.min(100, (100 * ageMs) / Math.max(1, asNumber(args[0] ?? 0)));
  if (method.text === "GetSample" && args.length > 0) return series;
  if (method.text === "Count") return series.length;
  throw fail(method, `Undefined method: ${method.text}`);
}

function call(name: Token, args: readonly Value[], nowMs: number): Value {
  const numbers = args.flatMap((each) => (Array.isArray(each) ? [...each] : [asNumber(each)]));
  switch (name.text) {
    case "min":
      return Math.min(...numbers);
    case "max":
      return Math.max(...numbers);
    case "avg":
      return numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
    case "round":
      return Math.round(numbers[0] ?? 0);
    case "ceil":
      return Math.ceil(numbers[0] ?? 0);
    case "floor":
      return Math.floor(numbers[0] ?? 0);
    case "val":
      return numbers[0] ?? 0;
    case "time":
      return typeof args[0] === "string" ? Date.parse(args[0]) : nowMs;
    default:
      throw fail(name, `Undefined function: ${name.text}`);
  }
}

function apply(operator: string, a: number, b: number): Value {
  switch (operator) {
    case "||":
      return a !== 0 || b !== 0;
    case "&&":
      return a !== 0 && b !== 0;
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    default:
      return a % b;
  }
}

function asNumber(value: Value): number {
  if (typeof value === "string") return Date.parse(value);
  if (typeof value === "object") return value[0] ?? Number.NaN;
  return Number(value);
}
