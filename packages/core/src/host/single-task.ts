// A plan of one task that is not in any flow file: a command somebody wants run with flow's care.

import { buildAdjacency } from "../graph/adjacency.ts";
import { complete } from "../graph/plan.ts";
import { defineTask } from "../library/define-task.ts";
import type { OpenedPlan } from "./open-plan.ts";

/** Name under which such tasks are kept apart from those of flow files. */
const FILE = "exec";

/** It always runs, keeps a checkpoint, and goes on from it when it was stopped. `root` is absolute. */
export function planSingleTask(
  root: string,
  name: string,
  argv: readonly string[],
  backend: string,
): OpenedPlan {
  const task = defineTask(name, { run: argv, always: true, checkpoint: true, backend }, FILE);
  const plan = complete({
    project: {
      name: undefined,
      description: undefined,
      root,
      file: `${root}/${FILE}`,
      sources: [],
      workspace: undefined,
      experiment: undefined,
      default: [],
      jobs: undefined,
      pools: {},
      backends: [],
      secrets: [],
      compat: ["xt", "batchai"],
      ignore: [],
      code: { include: [], omit: [] },
      params: {},
    },
    tasks: [task],
    asked: [0],
    dependencies: buildAdjacency(1, [], []),
    orderOnly: new Uint8Array(0),
    valuesFiles: {},
    temporary: [],
  });
  return {
    plan,
    inputs: { files: [], env: {} },
    warnings: [],
    secretValues: {},
    keep: () => {},
  };
}
