// What a task makes beside its targets: named output directories, a checkpoint, metrics, values.

import type { Checkpoint, MetricSource, Task } from "../../model/task.ts";
import type { Node } from "../document/node.ts";
import { asList, child, entriesOf, spanOf } from "../document/node.ts";
import { resolvePath } from "../paths.ts";
import type { FieldReader } from "./fields.ts";
import type { FlowSource, Loading } from "./scope.ts";

const NONE: Readonly<Record<string, string>> = {};

/** Named output directories: names alone lie below FLOW_OUTPUT_DIR. */
export function readOutputs(
  reader: FieldReader,
  source: FlowSource,
  loading: Loading,
): Readonly<Record<string, string>> {
  const node = reader.node("outputs");
  if (node === undefined) return NONE;
  if (node.kind !== "map") return Object.fromEntries(reader.texts(node).map((name) => [name, ""]));
  const outputs: Record<string, string> = {};
  for (const [name, { value }] of node.entries) {
    const text = reader.text(value) ?? "";
    outputs[name] = text === "" ? "" : resolvePath(text, source.folder, loading.root).path;
  }
  return outputs;
}

/** `checkpoint:`: `true`, a path, or both with `keep`. */
export function readCheckpoint(
  reader: FieldReader,
  source: FlowSource,
  loading: Loading,
): Checkpoint | undefined {
  const node = reader.node("checkpoint");
  if (node === undefined) return undefined;
  if (node.kind === "scalar" && typeof node.value === "boolean") {
    return node.value ? { path: undefined, keep: false } : undefined;
  }
  const pathNode = node.kind === "map" ? child(node, "path") : node;
  const text = reader.text(pathNode);
  const resolved =
    text === undefined ? undefined : resolvePath(text, source.folder, loading.root).path;
  if (
    pathNode !== undefined &&
    resolved !== undefined &&
    /^(?:\/|\.\.(?:\/|$)|\.$)/.test(resolved)
  ) {
    loading.report.error(
      "outside-root",
      spanOf(pathNode),
      `the checkpoint \`${resolved}\` does not lie inside the project`,
      { fix: "Write `checkpoint: true` to let flow choose the place." },
    );
  }
  const keep = child(node, "keep");
  return { path: resolved, keep: keep?.kind === "scalar" && keep.value === true };
}

/** `metrics:`, one source per key. */
export function readMetrics(
  reader: FieldReader,
  source: FlowSource,
  loading: Loading,
): readonly MetricSource[] {
  const node = reader.node("metrics");
  if (node === undefined) return NO_METRICS;
  const path = (text: string): string => resolvePath(text, source.folder, loading.root).path;
  return asList(node).flatMap((node) => readMetric(node, reader, path));
}

const NO_METRICS: readonly MetricSource[] = [];

function readMetric(
  node: Node,
  reader: FieldReader,
  path: (text: string) => string,
): readonly MetricSource[] {
  const sources: MetricSource[] = [];
  for (const [kind, { value }] of entriesOf(node)) {
    const text = reader.text(value) ?? "";
    if (kind === "json") sources.push({ kind, path: path(text) });
    else if (kind === "jsonl") sources.push({ kind, glob: path(text) });
    else if (kind === "stdout") {
      try {
        // What matches the empty text has all its groups in the answer.
        const groups = (new RegExp(`${text}|`, "u").exec("")?.length ?? 0) - 1;
        if (groups === 0) {
          reader.filling.report.error(
            "bad-pattern",
            spanOf(value),
            `\`${text}\` takes nothing from a line: it has no group`,
            { fix: "Put each value in a named group, as in `loss (?<loss>[0-9.]+)`." },
          );
        }
        sources.push({ kind, pattern: text });
      } catch (error) {
        const why = error instanceof Error ? error.message.replace(/^.*\/u?: /, "") : "";
        reader.filling.report.error(
          "bad-pattern",
          spanOf(value),
          `\`${text}\` is not a regular expression: ${why}`,
        );
      }
    }
  }
  return sources;
}

/** Members that run at once would take the metrics of the others for their own. */
export function warnAboutMetrics(
  tasks: readonly Task[],
  node: Node | undefined,
  loading: Loading,
): void {
  if (node === undefined) return;
  const seen = new Set<string>();
  for (const { id, template, metrics, maxParallel } of tasks) {
    if (maxParallel === 1) return;
    const own = metrics.flatMap(filesOf);
    const shared = own.find((path) => seen.has(path));
    if (shared !== undefined) {
      loading.report.warn(
        "shared-metrics",
        spanOf(node),
        `\`${id}\` and another member of \`${template}\` read their metrics from \`${shared}\`, each also those of the other`,
        { fix: "Write the axes of the matrix in the path, so that each has its own." },
      );
      return;
    }
    for (const path of own) seen.add(path);
  }
}

function filesOf(source: MetricSource): readonly string[] {
  if (source.kind === "stdout") return [];
  return [source.kind === "json" ? source.path : source.glob];
}
