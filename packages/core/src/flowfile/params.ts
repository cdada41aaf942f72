// Parameters: values and typed definitions of a flow file, nested ones by dotted name, overridden by
// a parameter file and by the command line. Scalars keep their text.

import type { Report } from "../diagnostics/report.ts";
import { didYouMean, suggest } from "../diagnostics/suggest.ts";
import type { MapNode, Node, ScalarNode } from "./document/node.ts";
import {
  asList,
  child,
  entriesOf,
  describe,
  isEmpty,
  spanOf,
  textOf,
  toValue,
} from "./document/node.ts";
import { IDENTIFIER } from "./names.ts";
import type { ParamOverride } from "./overrides.ts";
import { jsonLiteral } from "./scalar.ts";
import type { TemplateValue } from "./template/template.ts";

/** A parameter with its final value. */
export interface Param {
  readonly name: string;
  /** Scalars as written; lists as JSON with their literals kept. */
  readonly text: string;
  /** The texts of a list's items; undefined for a scalar. */
  readonly items: readonly string[] | undefined;
}

const DEFINITION_KEYS = ["type", "default", "min", "max", "choices", "help"];

/** The parameters of one flow file. */
export class ParamTable {
  readonly #params = new Map<string, Param>();
  /** Names of nested maps: not values themselves. */
  readonly #groups = new Set<string>();
  #values: Readonly<Record<string, string>> | undefined;

  /** Reads the definitions of a file; `overrides` have the last word, later ones over earlier ones. */
  constructor(file: MapNode, overrides: readonly ParamOverride[], report: Report) {
    const node = child(file, "params");
    const final = new Map(overrides.map((override) => [override.name, override]));
    if (node?.kind === "map") this.#read(node, "", final, report);
    for (const { name, span, isGuess } of final.values()) {
      if (isGuess === true) continue;
      const isGroup = this.#groups.has(name);
      const message = isGroup
        ? `the parameter \`${name}\` holds others and has no value of its own`
        : `the flow file defines no parameter \`${name}\``;
      const fix = isGroup ? this.#within(name) : (asAxis(name, file) ?? this.#suggest(name));
      report.error("unknown-param", span, message, { fix });
    }
  }

  /** Raw texts by dotted name, in the order of the file. */
  get values(): Readonly<Record<string, string>> {
    this.#values ??= Object.fromEntries(
      [...this.#params.values()].map(({ name, text }) => [name, text]),
    );
    return this.#values;
  }

  get isEmpty(): boolean {
    return this.#params.size === 0;
  }

  has(name: string): boolean {
    return this.#params.has(name);
  }

  get names(): Iterable<string> {
    return this.#params.keys();
  }

  text(name: string): string | undefined {
    return this.#params.get(name)?.text;
  }

  /** What `params.<name>` means in a template. */
  lookup(name: string): TemplateValue {
    const param = this.#params.get(name);
    if (param !== undefined) return paramValue(param);
    return {
      kind: "problem",
      code: "unknown-param",
      message: this.#groups.has(name)
        ? `the parameter \`${name}\` holds others and has no value of its own`
        : `there is no parameter \`${name}\``,
      fix: this.#groups.has(name) ? this.#within(name) : this.#suggest(name),
    };
  }

  #suggest(name: string): string {
    return suggest(name, this.#params.keys(), `Declare it: \`params: { ${name}: … }\`.`);
  }

  /** What to name instead of a map of parameters. */
  #within(group: string): string {
    const names = [...this.#params.keys()].filter((name) => name.startsWith(`${group}.`));
    return suggest("", names, "It is an empty map; give it values.");
  }

  #read(map: MapNode, prefix: string, overrides: Map<string, ParamOverride>, report: Report): void {
    for (const [key, entry] of map.entries) {
      if (key.startsWith("x-")) continue;
      const name = prefix + key;
      if (!IDENTIFIER.test(key)) {
        report.error(
          "bad-name",
          spanOf(entry.key),
          `\`${key}\` cannot be the name of a parameter`,
          {
            fix: "Use letters, digits, `_` and `-`, starting with a letter.",
          },
        );
        continue;
      }
      const { value } = entry;
      const definition = asDefinition(value);
      if (value.kind === "map" && definition === undefined) {
        this.#groups.add(name);
        this.#read(value, `${name}.`, overrides, report);
        continue;
      }
      const override = overrides.get(name);
      overrides.delete(name);
      const own = definition === undefined ? value : child(definition, "default");
      const [chosen, ...others] = override?.values ?? (own === undefined ? [] : [own]);
      if (chosen === undefined) {
        report.error(
          "param-required",
          spanOf(entry.key),
          `the parameter \`${name}\` has no value`,
          {
            fix: `Give it one: -p ${name}=…`,
          },
        );
        continue;
      }
      if (definition !== undefined) {
        for (const one of [chosen, ...others]) checkDefinition(name, definition, one, report);
      }
      const param = asParam(name, chosen, report);
      if (param !== undefined) this.#params.set(name, param);
    }
  }
}

/** What to do for a name that is no parameter but the axis of a matrix. */
function asAxis(name: string, file: MapNode): string | undefined {
  for (const [task, { value }] of entriesOf(child(file, "tasks"))) {
    const matrix = child(value, "matrix");
    const blocks = [
      matrix,
      ...asList(child(matrix, "zip")),
      child(child(value, "sweep"), "params"),
    ];
    if (!blocks.some((block) => child(block, name) !== undefined)) continue;
    return `It is an axis of \`${task}\`, with its values in the file: select some with '${task}@${name}=…'.`;
  }
  return undefined;
}

function asDefinition(node: Node): MapNode | undefined {
  if (node.kind !== "map") return undefined;
  const keys = [...node.entries.keys()];
  const isDefinition =
    (keys.includes("type") || keys.includes("default")) &&
    keys.every((key) => DEFINITION_KEYS.includes(key));
  return isDefinition ? node : undefined;
}

/** What a parameter means in a template. */
export const paramValue = ({ text, items }: Param): TemplateValue =>
  items === undefined ? { kind: "text", text } : { kind: "list", items };

/** A value of a parameter, or a complaint that it cannot be one. */
export function asParam(name: string, node: Node, report: Report): Param | undefined {
  if (node.kind === "scalar") return { name, text: node.text, items: undefined };
  const items = asList(node);
  if (node.kind === "list" && items.every((item) => item.kind === "scalar")) {
    const literals = items.map((item) =>
      item.kind === "scalar" ? jsonLiteral(item.value, item.text) : "",
    );
    return { name, text: `[${literals.join(", ")}]`, items: items.map(textOf) };
  }
  report.error(
    "wrong-type",
    spanOf(node),
    `the parameter \`${name}\` must be a value or a list of values, found ${describe(node)}`,
  );
  return undefined;
}

const TYPES: Readonly<Record<string, { readonly words: string; fits(node: Node): boolean }>> = {
  int: {
    words: "a whole number",
    fits: (node) =>
      node.kind === "scalar" && Number.isInteger(node.value) && /^[-+]?[0-9]+$/.test(node.text),
  },
  float: {
    words: "a number",
    fits: (node) => node.kind === "scalar" && typeof node.value === "number",
  },
  bool: {
    words: "`true` or `false`",
    fits: (node) => node.kind === "scalar" && typeof node.value === "boolean",
  },
  string: { words: "text", fits: (node) => node.kind === "scalar" && !isEmpty(node) },
  list: { words: "a list", fits: (node) => node.kind === "list" },
};

function checkDefinition(name: string, definition: MapNode, value: Node, report: Report): void {
  const typeNode = child(definition, "type");
  const type = typeNode === undefined ? undefined : TYPES[textOf(typeNode)];
  if (typeNode !== undefined && type === undefined) {
    report.error(
      "bad-value",
      spanOf(typeNode),
      `the type of \`${name}\` must be int, float, bool, string or list, found ${describe(typeNode)}`,
      { fix: didYouMean(textOf(typeNode), Object.keys(TYPES)) },
    );
    return;
  }
  if (type !== undefined && !type.fits(value)) {
    report.error(
      "param-type",
      spanOf(value),
      `the parameter \`${name}\` must be ${type.words}, found ${describe(value)}`,
    );
    return;
  }
  checkChoices(name, definition, value, report);
  checkLimits(name, definition, value, report);
}

function checkChoices(name: string, definition: MapNode, value: Node, report: Report): void {
  const choices = child(definition, "choices");
  if (choices === undefined || value.kind !== "scalar") return;
  const texts = asList(choices).map(textOf);
  if (texts.includes(value.text)) return;
  report.error(
    "param-choice",
    spanOf(value),
    `the parameter \`${name}\` must be one of ${texts.join(", ")}, found ${describe(value)}`,
    { fix: didYouMean(value.text, texts) },
  );
}

function checkLimits(name: string, definition: MapNode, value: Node, report: Report): void {
  if (value.kind !== "scalar" || typeof value.value !== "number") return;
  for (const [key, word, holds] of [
    ["min", "at least", (limit: number, found: number) => found >= limit],
    ["max", "at most", (limit: number, found: number) => found <= limit],
  ] as const) {
    const limit = child(definition, key) as ScalarNode | undefined;
    if (limit === undefined) continue;
    if (typeof toValue(limit) !== "number") {
      report.error(
        "wrong-type",
        spanOf(limit),
        `\`${key}\` of \`${name}\` must be a number, found ${describe(limit)}`,
      );
    } else if (!holds(Number(limit.text), value.value)) {
      report.error(
        "param-choice",
        spanOf(value),
        `the parameter \`${name}\` must be ${word} ${limit.text}, found ${describe(value)}`,
      );
    }
  }
}
