// Expands a matrix: the product of its dimensions in written order (an axis, or a `zip` of several),
// without what `exclude` names, with what `include` adds.

import type { Report } from "../diagnostics/report.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import type { MapNode, Node, ScalarNode } from "./document/node.ts";
import { asList, child, describe, entriesOf, spanOf } from "./document/node.ts";
import { IDENTIFIER } from "./names.ts";
import type { Param } from "./params.ts";
import { expandRange, MAX_MEMBERS } from "./range.ts";
import type { Filling } from "./template/template.ts";
import { fillItems, fillText } from "./template/template.ts";

/** One combination. */
export interface Combination {
  /** Axis values as written, in the order of the axes. */
  readonly axes: ReadonlyMap<string, string>;
  /** Values of the matrix's axes and what `include` added to them: `${{ matrix.x }}`. */
  readonly values: ReadonlyMap<string, string>;
  /** Parameters with a value of this combination's own, by their name in the file. */
  readonly params: ReadonlyMap<string, Param>;
}

export interface Matrix {
  readonly axisNames: readonly string[];
  readonly members: readonly Combination[];
}

/** The matrix of a task without one. */
export const noMatrix: Matrix = {
  axisNames: [],
  members: [{ axes: new Map(), values: new Map(), params: new Map() }],
};

const NO_PARAMS: ReadonlyMap<string, Param> = new Map();
const RESERVED = ["zip", "include", "exclude", "max_parallel", "fail_fast"];

type Values = Map<string, string>;
/** The partial combinations one dimension offers. */
type Dimension = readonly Values[];

/** All members of `node`; reports and leaves out what is wrong. */
export function expandMatrix(node: MapNode, filling: Filling): Matrix {
  const { report } = filling;
  const before = report.errors;
  const dimensions: Dimension[] = [];
  const axisNames: string[] = [];
  for (const [name, { key, value }] of node.entries) {
    if (name === "zip") {
      for (const block of asList(value)) addZip(block, axisNames, dimensions, filling);
    } else if (!RESERVED.includes(name) && !name.startsWith("x-")) {
      if (addAxis(name, key, axisNames, report)) {
        dimensions.push(axisValues(value, name, filling).map((text) => new Map([[name, text]])));
      }
    }
  }
  const size = dimensions.reduce((product, dimension) => product * dimension.length, 1);
  if (size > MAX_MEMBERS) {
    report.error(
      "bad-value",
      spanOf(node),
      `this matrix has ${size} members; the limit is ${MAX_MEMBERS}`,
    );
    return { axisNames, members: [] };
  }
  let rows = dimensions.length === 0 ? [] : product(dimensions);
  rows = exclude(rows, child(node, "exclude"), axisNames, filling);
  const members = include(rows, child(node, "include"), axisNames, filling);
  if (members.length === 0 && report.errors === before) {
    report.error("empty-matrix", spanOf(node), "this matrix has no members", {
      fix: "Give each axis at least one value, and check `exclude`.",
    });
  }
  return { axisNames, members };
}

function addAxis(name: string, key: ScalarNode, axisNames: string[], report: Report): boolean {
  if (!IDENTIFIER.test(name)) {
    report.error("bad-name", spanOf(key), `\`${name}\` cannot be the name of an axis`, {
      fix: "Use letters, digits, `_` and `-`, starting with a letter.",
    });
    return false;
  }
  if (axisNames.includes(name)) {
    report.error("duplicate-key", spanOf(key), `the axis \`${name}\` is there twice`);
    return false;
  }
  axisNames.push(name);
  return true;
}

function addZip(block: Node, axisNames: string[], dimensions: Dimension[], filling: Filling): void {
  if (block.kind !== "map") {
    filling.report.error(
      "wrong-type",
      spanOf(block),
      `\`zip\` must be a map of axes, found ${describe(block)}`,
    );
    return;
  }
  let first: { name: string; length: number } | undefined;
  const columns: (readonly [string, readonly string[]])[] = [];
  for (const [name, { key, value }] of block.entries) {
    if (!addAxis(name, key, axisNames, filling.report)) continue;
    const texts = axisValues(value, name, filling);
    first ??= { name, length: texts.length };
    if (texts.length !== first.length) {
      filling.report.error(
        "bad-value",
        spanOf(value),
        `zipped axes must have the same length: \`${first.name}\` has ${first.length} values, \`${name}\` ${texts.length}`,
      );
      return;
    }
    columns.push([name, texts]);
  }
  const rows = Array.from(
    { length: first?.length ?? 0 },
    (_, row) => new Map(columns.map(([name, texts]) => [name, texts[row] ?? ""])),
  );
  dimensions.push(rows);
}

/** The texts of one axis: items of a list, a range `1..5`, or one value. */
function axisValues(node: Node, name: string, filling: Filling): readonly string[] {
  const texts: string[] = [];
  for (const item of asList(node)) {
    if (item.kind !== "scalar" || item.value === null) {
      filling.report.error(
        "wrong-type",
        spanOf(item),
        `a value of the axis \`${name}\` must be text or a number, found ${describe(item)}`,
      );
      continue;
    }
    for (const text of fillItems(item, filling))
      texts.push(...expandRange(text, spanOf(item), filling.report));
  }
  const seen = new Set<string>();
  for (const text of texts) {
    if (seen.has(text)) {
      filling.report.error(
        "duplicate-key",
        spanOf(node),
        `the axis \`${name}\` has the value \`${text}\` twice`,
      );
    }
    seen.add(text);
  }
  return [...seen];
}

function product(dimensions: readonly Dimension[]): readonly Values[] {
  let rows: readonly Values[] = [new Map()];
  for (const dimension of dimensions) {
    rows = rows.flatMap((row) => dimension.map((values) => new Map([...row, ...values])));
  }
  return rows;
}

function exclude(
  rows: readonly Values[],
  node: Node | undefined,
  axisNames: readonly string[],
  filling: Filling,
): readonly Values[] {
  let kept = rows;
  for (const rule of asList(node)) {
    const wanted = conditions(rule, axisNames, filling);
    if (wanted === undefined) continue;
    const before = kept.length;
    kept = kept.filter(
      (row) => ![...wanted].every(([axis, texts]) => texts.includes(row.get(axis) ?? "")),
    );
    if (kept.length === before) {
      filling.report.warn("unused-exclude", spanOf(rule), "this `exclude` matches no member", {
        fix: "Values are compared as they are written: `0.1` is not `0.10`.",
      });
    }
  }
  return kept;
}

function conditions(
  rule: Node,
  axisNames: readonly string[],
  filling: Filling,
): ReadonlyMap<string, readonly string[]> | undefined {
  if (rule.kind !== "map") {
    filling.report.error(
      "wrong-type",
      spanOf(rule),
      `\`exclude\` must be a list of maps, found ${describe(rule)}`,
    );
    return undefined;
  }
  const wanted = new Map<string, readonly string[]>();
  for (const [name, { key, value }] of rule.entries) {
    if (!axisNames.includes(name)) {
      filling.report.error("unknown-axis", spanOf(key), `the matrix has no axis \`${name}\``, {
        fix: didYouMean(name, axisNames) ?? `Its axes: ${axisNames.join(", ")}.`,
      });
      return undefined;
    }
    wanted.set(name, axisValues(value, name, filling));
  }
  return wanted;
}

/**
 * An included map joins every combination whose axes it does not contradict; one that joins none
 * becomes a member of its own.
 */
function include(
  rows: readonly Values[],
  node: Node | undefined,
  axisNames: readonly string[],
  filling: Filling,
): readonly Combination[] {
  const members = rows.map((axes) => ({ axes, values: new Map(axes), params: NO_PARAMS }));
  const added: Combination[] = [];
  for (const entry of asList(node)) {
    const values = includedValues(entry, filling);
    if (values === undefined) continue;
    const joins = members.filter(({ axes }) =>
      [...values].every(([name, text]) => !axes.has(name) || axes.get(name) === text),
    );
    for (const member of joins) {
      for (const [name, text] of values) member.values.set(name, text);
    }
    if (joins.length === 0) added.push(ownMember(values, axisNames));
  }
  return [...members, ...added];
}

function ownMember(values: Values, axisNames: readonly string[]): Combination {
  const first = axisNames.filter((name) => values.has(name));
  const names = [...first, ...[...values.keys()].filter((name) => !axisNames.includes(name))];
  return {
    axes: new Map(names.map((name) => [name, values.get(name) ?? ""])),
    values,
    params: NO_PARAMS,
  };
}

function includedValues(entry: Node, filling: Filling): Values | undefined {
  if (entry.kind !== "map") {
    filling.report.error(
      "wrong-type",
      spanOf(entry),
      `\`include\` must be a list of maps, found ${describe(entry)}`,
    );
    return undefined;
  }
  const values: Values = new Map();
  for (const [name, { value }] of entriesOf(entry)) {
    if (value.kind === "scalar") values.set(name, fillText(value, filling));
    else
      filling.report.error(
        "wrong-type",
        spanOf(value),
        `\`${name}\` must be one value, found ${describe(value)}`,
      );
  }
  return values;
}
