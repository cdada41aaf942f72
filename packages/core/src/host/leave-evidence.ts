// After a run in which everything was fresh: the note by which the next one can tell that from stat
// signatures alone.

import type { Plan } from "../graph/plan.ts";
import { nodeFileSystem } from "../ports/node/file-system.ts";
import { cacheName } from "../trace/cache-name.ts";
import type { Inspector } from "../trace/inspect.ts";
import type { PlanInputs } from "../trace/plan-cache.ts";
import { recordEvidence } from "../trace/record-evidence.ts";
import type { ProjectState } from "./execute.ts";

export interface FreshRun {
  readonly plan: Plan;
  readonly inputs: PlanInputs;
  readonly inspector: Inspector;
  readonly state: ProjectState;
  /** Everything that was asked, as one text. */
  readonly request: string;
  /** What to say when there is nothing to do; opaque. */
  readonly summary: unknown;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** True when evidence was left. Does nothing in a project without state. */
export function leaveEvidence(fresh: FreshRun): boolean {
  const { plan, inputs, inspector, state, request, summary, env } = fresh;
  const { cache, traces } = state.layout;
  if (nodeFileSystem.stat(cache) === undefined) return false;
  try {
    return recordEvidence({
      file: `${cache}/${cacheName("fresh", request)}`,
      request,
      summary,
      tasks: plan.tasks,
      inputs,
      env,
      looked: inspector.looked,
      traces: { path: traces, signature: state.traces.signature },
      fileSystem: nodeFileSystem,
    });
  } catch {
    // A note that cannot be written is no failure: the next run looks at everything again.
    return false;
  }
}
