// Reads YAML 1.2 into nodes with the `yaml` package, behind bounds that hold before and while it
// works: its composer recurses, so nesting is limited on the token stream; aliases are shared and
// their expansion is counted; what YAML would silently round, merge or drop is an error.

import type { Alias, Document, ParsedNode } from "yaml";
import { Composer, isAlias, isMap, isPair, isScalar, Lexer, Parser } from "yaml";
import type { Report } from "../../diagnostics/report.ts";
import type { Span } from "../../model/task.ts";
import type { ListNode, MapEntry, MapNode, Node, ScalarNode } from "./node.ts";
import { isUsableText } from "./node.ts";
import {
  explainEaten,
  explainNegation,
  explainUnusedAnchor,
  explainYamlError,
} from "./yaml-error.ts";

const OPTIONS = {
  version: "1.2",
  schema: "core",
  merge: false,
  resolveKnownTags: false,
  prettyErrors: false,
  stringKeys: true,
  // Compares every key with every other one; the conversion below looks them up.
  uniqueKeys: false,
} as const;

/** Nodes that aliases may add to a document. */
const MAX_ALIAS_NODES = 100_000;

/** The document, or undefined after it has said what is wrong. An empty document is undefined too. */
export function readYaml(
  text: string,
  file: number,
  maxDepth: number,
  report: Report,
): Node | undefined {
  const document = compose(text, file, maxDepth, report);
  if (document === undefined || document.contents === null) return undefined;
  return new Converter(text, file, report).document(document.contents);
}

function compose(
  text: string,
  file: number,
  maxDepth: number,
  report: Report,
): Document.Parsed | undefined {
  const parser = new Parser();
  const composer = new Composer(OPTIONS);
  const documents: Document.Parsed[] = [];
  // A document token wraps the collections, so it is one more than the nesting.
  const limit = maxDepth + 1;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) documents.push(...composer.next(token));
    if (documents.length > 1) break;
    if (parser.stack.length > limit) {
      report.error(
        "too-deep",
        { file, start: parser.offset, end: parser.offset + 1 },
        `lists and maps are nested more than ${maxDepth} levels deep`,
        { fix: "Flatten the file, or quote the text if it was not meant as lists and maps." },
      );
      return undefined;
    }
  }
  if (documents.length <= 1) {
    for (const token of parser.end()) documents.push(...composer.next(token));
    documents.push(...composer.end(true, text.length));
  }
  const document = documents[0];
  return document !== undefined && isSound(document, documents[1], text, file, report)
    ? document
    : undefined;
}

function isSound(
  document: Document.Parsed,
  second: Document.Parsed | undefined,
  text: string,
  file: number,
  report: Report,
): boolean {
  // Only the first: later ones are mostly consequences of it.
  const problem = document.errors[0] ?? document.warnings.find((one) => isGrave(one.code));
  if (problem !== undefined) {
    explainYamlError(problem, text, file, report);
    return false;
  }
  const { yaml } = document.directives ?? {};
  if (yaml?.explicit === true && yaml.version !== "1.2") {
    const start = Math.max(0, text.indexOf("%YAML"));
    report.error(
      "yaml-version",
      { file, start, end: start + 9 },
      `flow files are YAML 1.2, this one says ${yaml.version}`,
      { fix: "Remove the `%YAML` line." },
    );
    return false;
  }
  if (second !== undefined) {
    const [start] = second.range;
    report.error("yaml-syntax", { file, start, end: start + 3 }, "a second YAML document starts", {
      fix: "A flow file is one document: remove the `---` line.",
    });
    return false;
  }
  return true;
}

const isGrave = (code: string): boolean => code === "TAG_RESOLVE_FAILED" || code === "BAD_ALIAS";

/** The composed document as nodes. A map with a bad key keeps its good ones. */
class Converter {
  readonly #text: string;
  readonly #file: number;
  readonly #report: Report;
  /** Anchors seen so far; undefined while the anchored node is being converted. */
  readonly #anchors = new Map<string, { node: Node; size: number } | undefined>();
  readonly #unused = new Map<string, Node>();
  #nodes = 0;
  #aliasNodes = 0;

  constructor(text: string, file: number, report: Report) {
    this.#text = text;
    this.#file = file;
    this.#report = report;
  }

  document(root: ParsedNode): Node {
    const node = this.#convert(root);
    // An anchor on a text that nothing refers to was meant as text.
    for (const unused of this.#unused.values())
      explainUnusedAnchor(unused, this.#text, this.#report);
    return node;
  }

  #convert(node: ParsedNode): Node {
    const { anchor } = node as { anchor?: string };
    if (anchor === undefined) return this.#plain(node);
    this.#anchors.set(anchor, undefined);
    const before = this.#nodes;
    const converted = this.#plain(node);
    this.#anchors.set(anchor, { node: converted, size: this.#nodes - before });
    if (converted.kind === "scalar") this.#unused.set(anchor, converted);
    return converted;
  }

  #plain(node: ParsedNode): Node {
    this.#nodes += 1;
    if (isScalar(node)) return this.#scalar(node);
    if (isAlias(node)) return this.#alias(node);
    const [start, end] = node.range;
    if (isMap(node)) return this.#map(node, start, end);
    const items = node.items.map((item) =>
      isPair<ParsedNode, ParsedNode | null>(item) ? this.#pairInList(item) : this.#convert(item),
    );
    return { kind: "list", items, file: this.#file, start, end } satisfies ListNode;
  }

  /** `[a: b]`: YAML makes the pair a map of its own. */
  #pairInList(pair: { key: ParsedNode; value: ParsedNode | null }): MapNode {
    const start = pair.key.range[0];
    const end = (pair.value ?? pair.key).range[1];
    return this.#map({ items: [pair] }, start, end);
  }

  #scalar(node: {
    value: unknown;
    source?: string;
    tag?: string;
    type?: string;
    range?: readonly [number, number, number] | null;
  }): ScalarNode {
    const [start, end] = node.range ?? [0, 0];
    const { value } = node;
    const text = node.source ?? "";
    const place = { file: this.#file, start, end };
    if (node.type === "QUOTE_DOUBLE" && !isUsableText(text)) {
      this.#report.error("bad-value", place, "this text holds NUL or half a character", {
        fix: "Neither can be part of a command, a path or a variable.",
      });
    }
    // `! text` is the text alone, and a negation would be lost.
    if (node.tag === "!" && !explainEaten(place, this.#text, this.#report)) {
      explainNegation(place, this.#text, this.#report);
    }
    const scalar: ScalarNode = {
      kind: "scalar",
      value:
        typeof value === "number" || typeof value === "boolean"
          ? value
          : value === null
            ? null
            : text,
      text,
      file: this.#file,
      start,
      end,
    };
    if (
      typeof value === "number" &&
      !Number.isSafeInteger(value) &&
      /^[-+]?(?:0o[0-7]+|0x[0-9a-fA-F]+|[0-9]+)$/.test(text)
    ) {
      this.#report.error(
        "integer-too-large",
        this.#span(start, end),
        `the integer ${text} is beyond 2^53 and would be rounded`,
        { fix: `Write it as text: "${text}"` },
      );
    }
    return scalar;
  }

  #map(
    map: { items: readonly { key: ParsedNode; value: ParsedNode | null }[] },
    start: number,
    end: number,
  ): MapNode {
    const entries = new Map<string, MapEntry>();
    for (const pair of map.items) {
      const key = this.#scalar(
        isScalar(pair.key) ? pair.key : { value: "", range: pair.key.range },
      );
      const value = pair.value === null ? nothing(key) : this.#convert(pair.value);
      if (this.#isUsable(key, entries)) entries.set(key.text, { key, value });
    }
    return { kind: "map", entries, file: this.#file, start, end };
  }

  #isUsable(key: ScalarNode, entries: ReadonlyMap<string, MapEntry>): boolean {
    const span = this.#span(key.start, key.end);
    const first = entries.get(key.text)?.key;
    if (first !== undefined) {
      this.#report.error("duplicate-key", span, `the key \`${key.text}\` is there twice`, {
        related: [{ span: this.#span(first.start, first.end), message: "first here" }],
      });
    } else if (key.text === "<<") {
      this.#report.error("merge-key", span, "YAML merge keys (`<<`) are not used in flow files", {
        fix: "Put what tasks share under `defaults:`, or repeat a whole value with an alias.",
      });
    } else if (key.text === "__proto__") {
      this.#report.error("unknown-key", span, "`__proto__` cannot be a key");
    } else {
      return true;
    }
    return false;
  }

  #alias(alias: Alias.Parsed): Node {
    const [start, end] = alias.range;
    const target = this.#anchors.get(alias.source);
    this.#unused.delete(alias.source);
    if (target !== undefined) {
      this.#aliasNodes += target.size;
      // Counted as what it stands for, so that an anchor around it knows its full size.
      this.#nodes += target.size;
      if (this.#aliasNodes <= MAX_ALIAS_NODES) return target.node;
      if (this.#aliasNodes - target.size <= MAX_ALIAS_NODES) {
        this.#report.error(
          "too-many-aliases",
          this.#span(start, end),
          `the aliases up to here repeat more than ${MAX_ALIAS_NODES} values`,
          { fix: "Use `defaults:` or a matrix for what tasks share." },
        );
      }
    } else if (this.#anchors.has(alias.source)) {
      this.#report.error(
        "yaml-syntax",
        this.#span(start, end),
        `the alias \`*${alias.source}\` lies inside what it stands for`,
      );
    } else {
      this.#unknownAlias(alias, start, end);
    }
    return nothing({ start, end, file: this.#file });
  }

  #unknownAlias(alias: Alias.Parsed, start: number, end: number): void {
    explainYamlError(
      {
        code: "BAD_ALIAS",
        pos: [start, end],
        message: `there is no anchor \`&${alias.source}\` before this alias`,
      },
      this.#text,
      this.#file,
      this.#report,
    );
  }

  #span(start: number, end: number): Span {
    return { file: this.#file, start, end };
  }
}

function nothing(at: {
  readonly file: number;
  readonly start: number;
  readonly end: number;
}): ScalarNode {
  return { kind: "scalar", value: null, text: "", file: at.file, start: at.end, end: at.end };
}
