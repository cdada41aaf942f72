// Templates: `${{ name }}` and `${{ name | raw }}` in text. Only names are looked up, nothing is
// evaluated. What a name means is the caller's; how a value is written into a shell text, an
// argument list or plain text is decided here.

import type { DiagnosticCode } from "../../diagnostics/codes.ts";
import type { Report } from "../../diagnostics/report.ts";
import type { DepReference, Text } from "../../model/task.ts";
import type { ScalarNode } from "../document/node.ts";
import { placeWithin } from "../document/node.ts";
import type { ShellContext } from "./shell-context.ts";
import { quoteFor, ShellScanner } from "./shell-context.ts";

/** What a name in a template stands for. */
export type TemplateValue =
  /** `placeholder` stands in the recipe instead of the text. */
  | { readonly kind: "text"; readonly text: string; readonly placeholder?: string }
  | { readonly kind: "list"; readonly items: readonly string[] }
  /** Paths known only when the task is ready: those of the dependency `dep`. */
  | { readonly kind: "late"; readonly dep: string }
  /** An environment variable whose value must not be recorded. */
  | { readonly kind: "secret"; readonly variable: string }
  | {
      readonly kind: "problem";
      readonly code: DiagnosticCode;
      readonly message: string;
      readonly fix?: string | undefined;
    };

export type Lookup = (name: string) => TemplateValue;

/** What filling in needs: the meaning of names, and where to complain. */
export interface Filling {
  lookup(name: string): TemplateValue;
  /** The same with paths as they are seen from this folder (relative to the root). */
  seenFrom?(folder: string): Filling;
  readonly report: Report;
  /** Text of the source files by index, to place a problem inside a long text. */
  readonly sources: readonly { readonly text: string }[];
}

/** A command with its values, and the form of it that enters the fingerprint. */
export interface Filled<T> {
  readonly value: T;
  readonly recipe: string;
}

/** Has `text` a template at all? */
export const hasTemplate = (text: string): boolean => text.includes("${{");

/** A text with each value as it is; for paths, descriptions, variables. */
export function fillText(node: ScalarNode, filling: Filling): string {
  if (!hasTemplate(node.text)) return node.text;
  return parts(node, filling)
    .map((part) => {
      if (typeof part === "string") return part;
      return single(part, filling.lookup(part.name), node, filling)?.text ?? "";
    })
    .join("");
}

/**
 * The items a text stands for: those of a list when the whole text is one template of a list, else
 * the text itself.
 */
export function fillItems(node: ScalarNode, filling: Filling): readonly string[] {
  if (!hasTemplate(node.text)) return [node.text];
  const only = parts(node, filling);
  const [hole] = only;
  if (only.length === 1 && typeof hole === "object") {
    const value = filling.lookup(hole.name);
    if (value.kind === "list") return value.items;
  }
  return [fillText(node, filling)];
}

/** A shell text with each value quoted for where it stands; lists become several words. */
export function fillShell(node: ScalarNode, filling: Filling): Filled<Text> {
  if (!hasTemplate(node.text)) return { value: node.text, recipe: dedent(node.text) };
  const text = new TextBuilder();
  let recipe = "";
  for (const part of parts(node, filling)) {
    if (typeof part === "string") {
      text.add(part);
      recipe += part;
      continue;
    }
    const value = filling.lookup(part.name);
    if (value.kind === "late") {
      const isRaw = part.raw || part.context === "quoted-heredoc";
      if (!isRaw && part.context !== "bare") complainList(part, node, filling);
      text.add({ dep: value.dep, form: isRaw ? "raw" : "shell" });
      recipe += part.source;
    } else {
      const shell = shellText(part, value, node, filling);
      text.add(shell);
      recipe += value.kind === "text" ? (value.placeholder ?? shell) : shell;
    }
  }
  return { value: text.build(), recipe: dedent(recipe) };
}

/** Arguments for a program started without a shell; a list becomes several of them. */
export function fillArgv(nodes: readonly ScalarNode[], filling: Filling): Filled<readonly Text[]> {
  const argv: Text[] = [];
  const recipe: string[] = [];
  for (const node of nodes) {
    if (!hasTemplate(node.text)) {
      argv.push(node.text);
      recipe.push(node.text);
      continue;
    }
    const all = parts(node, filling);
    const [hole] = all;
    const whole =
      all.length === 1 && typeof hole === "object" ? filling.lookup(hole.name) : undefined;
    if (whole?.kind === "list") {
      argv.push(...whole.items);
      recipe.push(...whole.items);
    } else if (whole?.kind === "late") {
      argv.push([{ dep: whole.dep, form: "argv" }]);
      recipe.push(node.text);
    } else {
      const [text, plain] = argument(all, node, filling);
      argv.push(text);
      recipe.push(plain);
    }
  }
  return { value: argv, recipe: JSON.stringify(recipe) };
}

function argument(
  all: readonly Part[],
  node: ScalarNode,
  filling: Filling,
): readonly [string, string] {
  let text = "";
  let recipe = "";
  for (const part of all) {
    if (typeof part === "string") {
      text += part;
      recipe += part;
    } else {
      const value = single(part, filling.lookup(part.name), node, filling);
      text += value?.text ?? "";
      recipe += value?.placeholder ?? value?.text ?? "";
    }
  }
  return [text, recipe];
}

/** One place where a value goes. */
interface Hole {
  readonly name: string;
  readonly raw: boolean;
  /** As written, with braces. */
  readonly source: string;
  /** How many equal ones stand before it in the text. */
  readonly nth: number;
  readonly context: ShellContext;
}

type Part = string | Hole;

// Never reaches over the start of another one, so that text full of open ones is read once.
const HOLE = /\$\{\{((?:(?!\$\{\{).)*?)\}\}/gs;
const NAME = /^\s*([A-Za-z_][\w-]*(?:\.[\w-]+)*)\s*(?:\|\s*(raw)\s*)?$/;
/** Texts repeat over the members of a matrix. */
const parsed = new Map<string, readonly Part[]>();
const MAX_PARSED = 10_000;

function parts(node: ScalarNode, filling: Filling): readonly Part[] {
  const known = parsed.get(node.text);
  if (known !== undefined) return known;
  const result: Part[] = [];
  const scanner = new ShellScanner();
  const seen = new Map<string, number>();
  let end = 0;
  let isSound = true;
  const literal = (text: string): void => {
    if (text === "") return;
    result.push(text);
    scanner.text(text);
  };
  for (const match of node.text.matchAll(HOLE)) {
    const [source, inner = ""] = match;
    const nth = seen.get(source) ?? 0;
    seen.set(source, nth + 1);
    literal(node.text.slice(end, match.index));
    end = match.index + source.length;
    const name = NAME.exec(inner);
    if (name?.[1] === undefined) {
      badTemplate(node, source, nth, inner, filling);
      isSound = false;
      continue;
    }
    result.push({
      name: name[1],
      raw: name[2] !== undefined,
      source,
      nth,
      context: scanner.context(),
    });
    scanner.value();
  }
  literal(node.text.slice(end));
  if (node.text.indexOf("${{", end) !== -1) {
    complain(
      node,
      "${{",
      0,
      filling,
      "bad-template",
      "this template has no closing `}}`",
      undefined,
    );
  } else if (isSound && parsed.size < MAX_PARSED) {
    parsed.set(node.text, result);
  }
  return result;
}

function badTemplate(
  node: ScalarNode,
  source: string,
  nth: number,
  inner: string,
  filling: Filling,
): void {
  const filter = /\|\s*(\w+)\s*$/.exec(inner)?.[1];
  if (filter !== undefined && filter !== "raw") {
    complain(
      node,
      source,
      nth,
      filling,
      "bad-template",
      `there is no filter \`${filter}\`, only \`raw\``,
      undefined,
    );
    return;
  }
  complain(
    node,
    source,
    nth,
    filling,
    "bad-template",
    `a template holds one name, found ${inner.trim() === "" ? "nothing" : `\`${inner.trim()}\``}`,
    "Write `${{ params.name }}`, or compute the value in the command.",
  );
}

/** A value where there is room for exactly one. */
function single(
  hole: Hole,
  value: TemplateValue,
  node: ScalarNode,
  filling: Filling,
): { readonly text: string; readonly placeholder?: string } | undefined {
  switch (value.kind) {
    case "text":
      return value;
    case "list": {
      const [only] = value.items;
      if (value.items.length === 1 && only !== undefined) return { text: only };
      complainList(hole, node, filling);
      return undefined;
    }
    case "late":
      complainList(hole, node, filling);
      return undefined;
    case "secret":
      complain(
        node,
        hole.source,
        hole.nth,
        filling,
        "secret-in-command",
        `\`${value.variable}\` is a secret and would be recorded here`,
        `The program finds it in its environment: $${value.variable}`,
      );
      return undefined;
    case "problem":
      complain(node, hole.source, hole.nth, filling, value.code, value.message, value.fix);
      return undefined;
  }
}

function shellText(hole: Hole, value: TemplateValue, node: ScalarNode, filling: Filling): string {
  if (value.kind === "secret") {
    const isPlain = hole.context === "double" || hole.context === "heredoc";
    if (isPlain) return `\${${value.variable}}`;
    if (hole.context === "bare") return `"\${${value.variable}}"`;
  }
  if (value.kind === "list" && value.items.length !== 1 && (hole.raw || hole.context === "bare")) {
    return value.items.map((item) => (hole.raw ? item : quoteFor("bare", item))).join(" ");
  }
  const text = single(hole, value, node, filling)?.text ?? "";
  if (hole.raw) return text;
  const quoted = quoteFor(hole.context, text);
  if (quoted !== undefined) return quoted;
  complain(
    node,
    hole.source,
    hole.nth,
    filling,
    "bad-template",
    "a value inside backquotes cannot be quoted safely",
    "Write `$( … )` instead of the backquotes.",
  );
  return "";
}

function complainList(hole: Hole, node: ScalarNode, filling: Filling): void {
  complain(
    node,
    hole.source,
    hole.nth,
    filling,
    "list-in-text",
    `\`${hole.name}\` is a list, and here is room for one value`,
    "Let the template stand alone, outside quotes, as a word or argument of its own.",
  );
}

function complain(
  node: ScalarNode,
  piece: string,
  nth: number,
  filling: Filling,
  code: DiagnosticCode,
  message: string,
  fix: string | undefined,
): void {
  const span = placeWithin(node, filling.sources[node.file]?.text ?? "", piece, nth);
  filling.report.error(code, span, message, { fix });
}

/** Joins texts, keeping references to late dependencies apart. */
class TextBuilder {
  readonly #parts: (string | DepReference)[] = [];
  #text = "";

  add(part: string | DepReference): void {
    if (typeof part === "string") {
      this.#text += part;
      return;
    }
    if (this.#text !== "") this.#parts.push(this.#text);
    this.#text = "";
    this.#parts.push(part);
  }

  build(): Text {
    if (this.#parts.length === 0) return this.#text;
    return this.#text === "" ? this.#parts : [...this.#parts, this.#text];
  }
}

/** The command without what indentation and line ends add, so that moving it is no change. */
function dedent(text: string): string {
  if (!text.includes("\n")) return text.trim();
  const lines = text.split("\n").map((line) => line.trimEnd());
  const indents = lines.filter((line) => line !== "").map((line) => line.search(/\S/));
  const margin = Math.min(...indents);
  return lines
    .map((line) => line.slice(margin))
    .join("\n")
    .trim();
}
