// Parameter values from outside the flow file: `--params-file`, then the command line over it, where
// a parameter may have several values and a file of rows may name many combinations.

import type { Report } from "../diagnostics/report.ts";
import type { Span } from "../model/task.ts";
import type { MapNode, Node } from "./document/node.ts";
import { asList, child, describe, spanOf, textOf } from "./document/node.ts";
import { readDocument } from "./document/read.ts";
import type { FileReader, ReadFile } from "./read-files.ts";
import { readRows } from "./sweep/rows.ts";
import { cut, readValues, scalarOf } from "./sweep/values.ts";

/** One argument of the command line that gives values. */
export type GivenParam =
  | {
      /** Several names with `|` between them are varied together. */
      readonly name: string;
      readonly raw: string;
    }
  /** A CSV, YAML or JSON file with one combination per row; absolute. */
  | { readonly rows: string }
  /** Of a selector `train@lr=0.1`: counts if `lr` is a parameter and no axis of the task. */
  | { readonly template: string; readonly axis: string; readonly value: string };

/** A value given from outside the flow file, or several. */
export interface ParamOverride {
  readonly name: string;
  /** At least one. */
  readonly values: readonly Node[];
  /** Where the name was written. */
  readonly span: Span;
  /** On the command line. */
  readonly isGiven: boolean;
  /** From a selector: no complaint if there is no such parameter. */
  readonly isGuess?: boolean;
}

/** Parameters that are varied together: one row, one value each. */
export interface RawDimension {
  readonly names: readonly string[];
  readonly rows: readonly (readonly Node[])[];
}

export interface Overrides {
  /** One per name. */
  readonly params: readonly ParamOverride[];
  /** Those with more than one row, in the order they were given. */
  readonly dimensions: readonly RawDimension[];
}

/** Everything given, of which the last word on a parameter counts. */
export function paramOverrides(
  request: { readonly params: readonly GivenParam[]; readonly paramsFile: string | undefined },
  reader: FileReader,
  report: Report,
  files: readonly Pick<ReadFile, "map" | "namespace">[],
): Overrides {
  const params = new Map<string, ParamOverride>();
  let dimensions: readonly RawDimension[] = [];
  if (request.paramsFile !== undefined) readParamsFile(request.paramsFile, params, reader, report);
  dimensions = readSelectors(request.params, files, params, reader, report);
  for (const given of request.params) {
    if ("axis" in given) continue;
    const dimension =
      "rows" in given ? readRows(given.rows, reader, report) : readGiven(given, reader, report);
    if (dimension === undefined) continue;
    for (const [column, { name, span }] of dimension.names.entries()) {
      const values = dimension.rows.flatMap((row) => row[column] ?? []);
      if (values.length > 0) params.set(name, { name, values, span, isGiven: true });
      dimensions = dimensions.flatMap((one) => without(one, name));
    }
    if (dimension.rows.length > 1) {
      dimensions = [
        ...dimensions,
        { names: dimension.names.map(({ name }) => name), rows: dimension.rows },
      ];
    }
  }
  return { params: [...params.values()], dimensions };
}

/** Parameters that selectors name. */
function readSelectors(
  given: readonly GivenParam[],
  files: readonly Pick<ReadFile, "map" | "namespace">[],
  params: Map<string, ParamOverride>,
  reader: FileReader,
  report: Report,
): readonly RawDimension[] {
  const dimensions = new Map<string, (readonly Node[])[]>();
  for (const one of given) {
    if (!("axis" in one) || hasAxis(one.template, one.axis, files)) continue;
    const { template, axis, value: raw } = one;
    const before = `${template}@${axis}=`;
    const file = reader.addText("command line", before + raw);
    const place = { file, start: before.length, end: before.length + raw.length };
    const value = raw.startsWith("[")
      ? readDocument(" ".repeat(before.length) + raw, file, report)
      : scalarOf(raw, { text: raw, ...place });
    if (value === undefined) continue;
    const span = { file, start: template.length + 1, end: before.length - 1 };
    const values = [
      ...(params.get(axis)?.isGuess === true ? (params.get(axis)?.values ?? []) : []),
      value,
    ];
    params.set(axis, { name: axis, values, span, isGiven: true, isGuess: true });
    dimensions.set(
      axis,
      values.map((each) => [each]),
    );
  }
  return [...dimensions].flatMap(([name, rows]) =>
    rows.length > 1 ? [{ names: [name], rows }] : [],
  );
}

/** Whether a task's own matrix, or the one it takes over, has the axis; also when there is no such task. */
function hasAxis(
  template: string,
  axis: string,
  files: readonly Pick<ReadFile, "map" | "namespace">[],
): boolean {
  const end = template.lastIndexOf("/") + 1;
  const file = files.find(({ namespace }) => namespace === template.slice(0, end));
  const tasks = child(file?.map, "tasks");
  const seen = new Set<string>();
  for (let name = template.slice(end); !seen.has(name); ) {
    seen.add(name);
    const task = child(tasks, name);
    if (task === undefined) return true;
    const matrix = child(task, "matrix") ?? child(child(file?.map, "defaults"), "matrix");
    const sweep = child(task, "sweep");
    const blocks = [matrix, ...asList(child(matrix, "zip")), ...asList(child(matrix, "include"))];
    if (sweep !== undefined || blocks.some((block) => child(block, axis) !== undefined))
      return true;
    const each = child(task, "each");
    if (each !== undefined) name = textOf(each);
  }
  return false;
}

/** A dimension whose parameter `name` has been given anew. */
function without(dimension: RawDimension, name: string): readonly RawDimension[] {
  const column = dimension.names.indexOf(name);
  if (column === -1) return [dimension];
  if (dimension.names.length === 1) return [];
  return [
    {
      names: dimension.names.toSpliced(column, 1),
      rows: dimension.rows.map((row) => row.toSpliced(column, 1)),
    },
  ];
}

function readParamsFile(
  path: string,
  params: Map<string, ParamOverride>,
  reader: FileReader,
  report: Report,
): void {
  const read = reader.text(path, undefined, "no-params-file", "parameter file");
  if (read === undefined) return;
  const node = readDocument(read.text, read.index, report);
  if (node?.kind === "map") flatten(node, "", params);
  else if (node !== undefined) {
    report.error(
      "wrong-type",
      spanOf(node),
      `a parameter file is a map from name to value, found ${describe(node)}`,
    );
  }
}

function flatten(map: MapNode, prefix: string, params: Map<string, ParamOverride>): void {
  for (const [key, entry] of map.entries) {
    const name = prefix + key;
    if (entry.value.kind === "map") flatten(entry.value, `${name}.`, params);
    else {
      const span = spanOf(entry.key);
      params.set(name, { name, values: [entry.value], span, isGiven: false });
    }
  }
}

/** Names with their places, and rows of values. */
export interface GivenRows {
  readonly names: readonly { readonly name: string; readonly span: Span }[];
  readonly rows: readonly (readonly Node[])[];
}

function readGiven(
  { name, raw }: Extract<GivenParam, { readonly raw: string }>,
  reader: FileReader,
  report: Report,
): GivenRows | undefined {
  const before = `-p ${name}=`;
  const file = reader.addText("command line", before + raw);
  const place = (text: string, start: number) => ({ text, file, start, end: start + text.length });
  const names = cut(place(name, "-p ".length), "|").map(({ text, start, end }) => ({
    name: text,
    span: { file, start, end },
  }));
  const piece = place(raw, before.length);
  if (names.length === 1) {
    const rows = readValues(piece, name, report).map((value) => [value]);
    return rows.length === 0 ? undefined : { names, rows };
  }
  const rows: (readonly Node[])[] = [];
  for (const row of cut(piece, ",")) {
    const values = cut(row, "|");
    if (values.length !== names.length) {
      report.error(
        "param-sweep",
        row,
        `\`${row.text}\` has ${values.length} value${values.length === 1 ? "" : "s"} for ${names.length} parameters, \`${name}\``,
        { fix: "Write a row as `1|x` and rows with commas between them: 'a|b=1|x,2|y'." },
      );
      return undefined;
    }
    rows.push(values.map((value) => scalarOf(value.text, value)));
  }
  return { names, rows };
}
