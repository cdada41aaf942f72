// The keys of one task member: its own, else those of the file's `defaults:`. Reads them as what
// they must be and reports what they are not.

import type { Span } from "../../model/task.ts";
import { parseBytes, parseDuration } from "../../model/units.ts";
import type { MapNode, Node } from "../document/node.ts";
import { asList, child, describe, spanOf, textOf } from "../document/node.ts";
import { scalarValue } from "../scalar.ts";
import type { Filling, TemplateValue } from "../template/template.ts";
import { fillItems, fillShell, fillText } from "../template/template.ts";

/** A task's own map and the defaults under it. */
export interface Fields {
  readonly own: MapNode | undefined;
  readonly defaults: MapNode | undefined;
}

/** The node of a key. */
const fieldOf = (fields: Fields, key: string): Node | undefined =>
  fields.own?.entries.get(key)?.value ?? fields.defaults?.entries.get(key)?.value;

// Most keys of most tasks are absent; sharing what they come to keeps large files cheap.
const NO_ENTRIES: ReadonlyMap<string, Node> = new Map();
const NO_TEXTS: readonly string[] = [];

/** What could be read: all of it as it is, since arrays that are filled one by one take more room. */
export const present = <T>(items: readonly (T | undefined)[]): readonly T[] =>
  isWhole(items) ? items : items.filter((item) => item !== undefined);

const isWhole = <T>(items: readonly (T | undefined)[]): items is readonly T[] =>
  !items.includes(undefined);

/** Reads nodes in the scope of one member. */
export class FieldReader {
  readonly #fields: Fields;
  readonly #filling: Filling;

  constructor(fields: Fields, filling: Filling) {
    this.#fields = fields;
    this.#filling = filling;
  }

  /** The same keys, with paths in templates as they are seen from this folder. */
  from(folder: string): FieldReader {
    const filling = this.#filling.seenFrom?.(folder) ?? this.#filling;
    return filling === this.#filling ? this : new FieldReader(this.#fields, filling);
  }

  get filling(): Filling {
    return this.#filling;
  }

  node(key: string): Node | undefined {
    return fieldOf(this.#fields, key);
  }

  /** A map that a task adds to: the entries of the defaults, replaced by the task's own. */
  merged(key: string): ReadonlyMap<string, Node> {
    const own = child(this.#fields.own, key);
    const defaults = child(this.#fields.defaults, key);
    if (own === undefined && defaults === undefined) return NO_ENTRIES;
    const result = new Map<string, Node>();
    if (own !== undefined && own.kind !== "map") return result;
    for (const map of [defaults, own]) {
      if (map?.kind !== "map") continue;
      for (const [name, entry] of map.entries) result.set(name, entry.value);
    }
    return result;
  }

  flag(key: string): boolean {
    const node = this.node(key);
    return node?.kind === "scalar" && node.value === true;
  }

  text(node: Node | undefined): string | undefined {
    return node?.kind === "scalar" ? fillText(node, this.#filling) : undefined;
  }

  /** The texts of a list or of one scalar, with list-valued templates opened. */
  texts(node: Node | undefined): readonly string[] {
    if (node === undefined) return NO_TEXTS;
    return asList(node).flatMap((item) =>
      item.kind === "scalar" ? fillItems(item, this.#filling) : [],
    );
  }

  /** The value of an environment variable, and how it enters the fingerprint: with budgets by name. */
  variable(node: Node): { readonly value: string; readonly recipe: string } {
    if (node.kind !== "scalar") return { value: "", recipe: "" };
    const filling = this.#filling;
    const { report, sources } = filling;
    const budgets = new Map<string, TemplateValue>();
    const noting = (name: string): TemplateValue => {
      const found = filling.lookup(name);
      if (found.kind === "text" && found.placeholder !== undefined) {
        budgets.set(name, { kind: "text", text: found.placeholder });
      }
      return found;
    };
    const value = fillText(node, { lookup: noting, report, sources });
    if (budgets.size === 0) return { value, recipe: value };
    const byName = (name: string): TemplateValue => budgets.get(name) ?? filling.lookup(name);
    return { value, recipe: fillText(node, { lookup: byName, report, sources }) };
  }

  /** A shell command that is complete when the file is loaded. */
  command(node: Node): string {
    if (node.kind !== "scalar") return "";
    const { value } = fillShell(node, this.#filling);
    if (typeof value === "string") return value;
    this.#filling.report.error(
      "list-in-text",
      spanOf(node),
      "this command runs before the task is ready, so it cannot name files that are found then",
    );
    return "";
  }

  /** Milliseconds. */
  duration(node: Node | undefined): number | undefined {
    const text = this.text(node);
    if (node === undefined || text === undefined) return undefined;
    const value = parseDuration(text);
    if (value === undefined) {
      this.#filling.report.error("bad-duration", spanOf(node), `\`${text}\` is not a duration`, {
        fix: "Write 90s, 5m, 1h30m, 2d or 01:30:00; a bare number is seconds.",
      });
    }
    return value;
  }

  bytes(node: Node | undefined): number | undefined {
    const text = this.text(node);
    if (node === undefined || text === undefined) return undefined;
    const value = parseBytes(text);
    if (value === undefined) {
      this.#filling.report.error("bad-size", spanOf(node), `\`${text}\` is not a size`, {
        fix: /^[0-9.]+$/.test(text)
          ? `It needs a unit: ${text}GB or ${text}GiB?`
          : "Write 512MB, 6GB or 6GiB.",
      });
    }
    return value;
  }

  /** Thousandths of an amount such as 2 or 0.5. */
  milli(node: Node | undefined): number | undefined {
    const value = this.number(node, "a number from 0", (number) => number >= 0);
    return value === undefined ? undefined : Math.round(value * 1_000);
  }

  /** A whole number from zero. */
  count(node: Node | undefined): number | undefined {
    return this.number(
      node,
      "a whole number from 0",
      (number) => Number.isInteger(number) && number >= 0,
    );
  }

  number(
    node: Node | undefined,
    words: string,
    fits: (number: number) => boolean,
  ): number | undefined {
    const text = this.text(node);
    if (node === undefined || text === undefined) return undefined;
    const value = scalarValue(text.trim());
    if (typeof value === "number" && fits(value)) return value;
    this.error(spanOf(node), `must be ${words}, found ${found(node, text)}`);
    return undefined;
  }

  error(span: Span, message: string): void {
    this.#filling.report.error("bad-value", span, `this ${message}`);
  }
}

/** With a template in it, what it became is what is wrong. */
function found(node: Node, text: string): string {
  return textOf(node) === text ? describe(node) : `\`${text}\``;
}
