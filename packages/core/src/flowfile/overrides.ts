// Parameter values from outside the flow file: `--params-file`, then `-p name=value` over it.

import type { Report } from "../diagnostics/report.ts";
import type { MapNode, Node } from "./document/node.ts";
import { describe, spanOf } from "./document/node.ts";
import { readDocument } from "./document/read.ts";
import type { LoadRequest } from "./load.ts";
import type { ParamOverride } from "./params.ts";
import type { FileReader } from "./read-files.ts";
import { scalarValue } from "./scalar.ts";

/** All overrides, the ones with the last word last. */
export function paramOverrides(
  request: Pick<LoadRequest, "params" | "paramsFile">,
  reader: FileReader,
  report: Report,
): readonly ParamOverride[] {
  const overrides: ParamOverride[] = [];
  if (request.paramsFile !== undefined)
    readParamsFile(request.paramsFile, overrides, reader, report);
  for (const { name, raw } of request.params) {
    const before = `-p ${name}=`;
    const index = reader.addText("command line", before + raw);
    const span = { file: index, start: "-p ".length, end: before.length - 1 };
    const value = readValue(raw, before.length, index, report);
    if (value !== undefined) overrides.push({ name, value, span });
  }
  return overrides;
}

function readParamsFile(
  path: string,
  overrides: ParamOverride[],
  reader: FileReader,
  report: Report,
): void {
  const read = reader.text(path, undefined, "no-params-file", "parameter file");
  if (read === undefined) return;
  const node = readDocument(read.text, read.index, report);
  if (node?.kind === "map") flatten(node, "", overrides);
  else if (node !== undefined) {
    report.error(
      "wrong-type",
      spanOf(node),
      `a parameter file is a map from name to value, found ${describe(node)}`,
    );
  }
}

function flatten(map: MapNode, prefix: string, overrides: ParamOverride[]): void {
  for (const [key, entry] of map.entries) {
    if (entry.value.kind === "map") flatten(entry.value, `${prefix}${key}.`, overrides);
    else overrides.push({ name: prefix + key, value: entry.value, span: spanOf(entry.key) });
  }
}

/** `offset`: where the value starts on the command line. */
function readValue(raw: string, offset: number, file: number, report: Report): Node | undefined {
  const place = { file, start: offset, end: offset + raw.length };
  if (raw.startsWith("[")) return readDocument(" ".repeat(offset) + raw, file, report);
  if (/(?:^|[^\\])(?:\\\\)*,/.test(raw) || /^-?\d+\.\.-?\d+$/.test(raw)) {
    report.error("param-sweep", place, `\`${raw}\` names several values, and a run has one`, {
      fix: "Write a literal comma as `\\,` and a list as `[a, b]`; run over several values with a matrix.",
    });
    return undefined;
  }
  const text = raw.replaceAll("\\,", ",");
  return { kind: "scalar", value: scalarValue(text), text, ...place };
}
