// What a person asks of a run from another terminal: lines appended to a file in the run's folder,
// read by the run. A request the run never reads, because it has died, asks nothing of anybody.

import { appendFileSync } from "node:fs";
import type { RunId } from "../model/ids.ts";
import type { Clock } from "../ports/clock.ts";
import type { FileSystem } from "../ports/file-system.ts";
import type { Layout } from "./layout.ts";

export type RunRequestLine =
  /** Stop these tasks (by id). */
  | {
      readonly type: "cancel";
      readonly tasks: readonly string[];
      readonly how: "graceful" | "forced";
    }
  /** A person says what became of an attempt that nothing can be found out about. */
  | { readonly type: "resolve"; readonly task: string; readonly as: "lost" | "done" };

/** Pause between two looks at the file. */
const LOOK_MS = 200;

/** Bytes read at a time; a request is far shorter. */
const PIECE = 1 << 16;

const requestsOf = (layout: Layout, run: RunId): string => `${layout.run(run)}/requests.jsonl`;

/** Appends a request for a living run. Throws what the disk throws. */
export function askRun(layout: Layout, run: RunId, request: RunRequestLine): void {
  appendFileSync(requestsOf(layout, run), `${JSON.stringify(request)}\n`, { mode: 0o600 });
}

/** Calls back for each request to `run` from now on; returns the function that ends it. */
export function followRequests(
  layout: Layout,
  run: RunId,
  ports: { readonly clock: Clock; readonly fileSystem: FileSystem },
  take: (request: RunRequestLine) => void,
): () => void {
  const path = requestsOf(layout, run);
  let offset = 0;
  let cancel: () => void;
  const look = (): void => {
    const bytes = Buffer.from(ports.fileSystem.readPart(path, offset, PIECE) ?? []);
    const end = bytes.lastIndexOf(10) + 1;
    for (const line of bytes.toString("utf8", 0, end).split("\n")) {
      const request = parse(line);
      if (request !== undefined) take(request);
    }
    offset += end;
    cancel = ports.clock.after(LOOK_MS, look);
  };
  cancel = ports.clock.after(LOOK_MS, look);
  return () => cancel();
}

function parse(line: string): RunRequestLine | undefined {
  try {
    const request = JSON.parse(line) as RunRequestLine;
    return request.type === "cancel" || request.type === "resolve" ? request : undefined;
  } catch {
    return undefined;
  }
}
