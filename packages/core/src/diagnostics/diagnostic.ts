// What went wrong in a flow file or a request, as a value; rendering is elsewhere.

import type { Span } from "../model/task.ts";
import type { DiagnosticCode } from "./codes.ts";

/** A further place that explains a diagnostic. */
export interface Related {
  readonly span: Span;
  readonly message: string;
}

export interface Diagnostic {
  /** The anchor of its reference page. */
  readonly code: DiagnosticCode;
  readonly severity: "error" | "warning";
  /** One sentence: what was found, what was expected. */
  readonly message: string;
  /** Absent when it concerns no place in a file (a command-line parameter, a missing file). */
  readonly span: Span | undefined;
  readonly related: readonly Related[];
  /** What to do, as one sentence or a line to write instead; absent when the message says it. */
  readonly fix: string | undefined;
}
