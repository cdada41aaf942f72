// Collects diagnostics while something is read, so that one pass can tell everything it found.

import type { Span } from "../model/task.ts";
import type { DiagnosticCode } from "./codes.ts";
import type { Diagnostic, Related } from "./diagnostic.ts";

/** What a diagnostic can say beyond its message. */
export interface Explanation {
  /** What to do, as one sentence or a line to write instead. */
  readonly fix?: string | undefined;
  readonly related?: readonly Related[];
}

/** Where the parts of the loader put what they find: of one kind, one per place. */
export class Report {
  readonly #found: Diagnostic[] = [];
  /** Code and place of what was found: the members of a matrix would each say it. */
  readonly #places = new Set<string>();
  #errors = 0;

  /** In the order in which they were found. */
  get diagnostics(): readonly Diagnostic[] {
    return this.#found;
  }

  /** How many of them are errors. */
  get errors(): number {
    return this.#errors;
  }

  error(code: DiagnosticCode, span: Span | undefined, message: string, more?: Explanation): void {
    this.#add("error", code, span, message, more);
  }

  warn(code: DiagnosticCode, span: Span | undefined, message: string, more?: Explanation): void {
    this.#add("warning", code, span, message, more);
  }

  #add(
    severity: Diagnostic["severity"],
    code: DiagnosticCode,
    span: Span | undefined,
    message: string,
    more: Explanation | undefined,
  ): void {
    if (span !== undefined) {
      const place = `${code} ${span.file} ${span.start} ${span.end}`;
      if (this.#places.has(place)) return;
      this.#places.add(place);
    }
    if (severity === "error") this.#errors += 1;
    this.#found.push({
      code,
      severity,
      message,
      span,
      related: more?.related ?? [],
      fix: more?.fix,
    });
  }
}
