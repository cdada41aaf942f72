// The output of a task as JSON lines, for programs: one object for each line, both streams on stdout.

import type { Output } from "../io.ts";

/** Whose output it is. */
export interface LogSource {
  readonly task: string;
  readonly attempt: number;
  readonly stream: string;
}

/**
 * An output that passes on what it gets as JSON lines. The `text` of all objects of a source together is
 * what the program wrote; bytes that are no UTF-8 are replaced.
 */
export function jsonLog(source: LogSource, output: Output): Output {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return {
    write: (data) => {
      const text = typeof data === "string" ? data : decoder.decode(data, { stream: true });
      const lines = text.match(/[^\n]*\n|[^\n]+/g) ?? [];
      return output.write(
        lines.map((line) => `${JSON.stringify({ ...source, text: line })}\n`).join(""),
      );
    },
    drained: () => output.drained(),
    isTTY: false,
    get isClosed() {
      return output.isClosed;
    },
    columns: undefined,
    rows: undefined,
    onResize: () => () => {},
  };
}
