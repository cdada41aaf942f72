// Reading the project that a command line names, for the verbs that look at it: its graph and the
// selected tasks, or its diagnostics on stderr and an exit code.

import {
  type Diagnostic,
  err,
  type LoadFailure,
  type OpenedGraph,
  ok,
  openGraph,
  positionOf,
  type Result,
  renderDiagnostics,
  type Selection,
  type SourceFile,
  select,
  standingIn,
} from "@flow/core";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import type { Invocation } from "./invocation.ts";
import type { Io } from "./io.ts";
import { hasColor } from "./report/color.ts";
import { projectRequest } from "./run/request.ts";

/** A project that is in order. */
export interface OpenedProject extends OpenedGraph {
  readonly selection: Selection;
}

/** Reads it, without a word. `problem`: the command line itself is wrong. */
export async function readProject(
  invocation: Invocation,
  io: Io,
  selectors: readonly string[] = invocation.positionals,
): Promise<Result<OpenedProject, LoadFailure | { readonly problem: string }>> {
  const asked = projectRequest(invocation, io);
  if ("problem" in asked) return err(asked);
  const opened = await openGraph(asked.request);
  if (!opened.ok) return opened;
  const { graph } = opened.value;
  const directory = standingIn(graph.project.root, asked.request.directory);
  const selection = select(graph, selectors, { directory });
  if (selection.ok) return ok({ ...opened.value, selection: selection.value });
  return err({ diagnostics: selection.error, sources: opened.value.sources });
}

/**
 * Reads it and prints its errors, for exit code 2. Warnings are for `check`, and for those who plan
 * and run: whoever looks for something else has seen them there.
 */
export async function openProject(
  invocation: Invocation,
  io: Io,
  selectors: readonly string[] = invocation.positionals,
): Promise<Result<OpenedProject, ExitCode>> {
  const read = await readProject(invocation, io, selectors);
  if (read.ok) {
    if (invocation.verb === "check") printDiagnostics(read.value, invocation, io);
    return read;
  }
  if ("problem" in read.error) io.stderr.write(`flow: ${read.error.problem}\n`);
  else printDiagnostics(read.error, invocation, io);
  return err(EXIT.usage);
}

/** Renders diagnostics to stderr; nothing when there are none. */
export function printDiagnostics(
  { diagnostics, sources }: LoadFailure,
  invocation: Invocation,
  io: Io,
): void {
  if (diagnostics.length === 0) return;
  const color = hasColor(io.stderr, invocation.value("color"), io.env);
  io.stderr.write(`${renderDiagnostics(diagnostics, sources, { color })}\n`);
}

/** A diagnostic as JSON: its place as file, line and column. */
export function diagnosticJson(
  { code, severity, message, span, related, fix }: Diagnostic,
  sources: readonly SourceFile[],
): object {
  return {
    code,
    severity,
    message,
    ...place(span, sources),
    related: related.map((other) => ({ message: other.message, ...place(other.span, sources) })),
    fix,
  };
}

function place(span: Diagnostic["span"], sources: readonly SourceFile[]): object {
  const source = span === undefined ? undefined : sources[span.file];
  if (span === undefined || source === undefined) return {};
  return { file: source.path, ...positionOf(source, span.start) };
}
