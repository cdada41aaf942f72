// A plan of tasks that are in no flow file and do not depend on one another: commands somebody wants
// run with flow's care.

import { buildAdjacency } from "../graph/adjacency.ts";
import { complete } from "../graph/plan.ts";
import { defineTask } from "../library/define-task.ts";
import type { Task } from "../model/task.ts";
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
  const run = { run: argv, always: true, checkpoint: true, backend };
  return planTasks(root, FILE, [defineTask(name, run, FILE)]);
}

/**
 * `file` keeps the tasks apart from those of flow files. `secretValues`: variables the programs get
 * that are recorded nowhere.
 */
export function planTasks(
  root: string,
  file: string,
  tasks: readonly Task[],
  secretValues: Readonly<Record<string, string>> = {},
): OpenedPlan {
  const plan = complete({
    project: {
      name: undefined,
      description: undefined,
      root,
      file: `${root}/${file}`,
      sources: [],
      workspace: undefined,
      experiment: undefined,
      default: [],
      jobs: undefined,
      pools: {},
      backends: [],
      secrets: Object.keys(secretValues),
      compat: ["xt", "batchai"],
      ignore: [],
      code: { include: [], omit: [] },
      params: {},
    },
    tasks,
    asked: [...tasks.keys()],
    dependencies: buildAdjacency(tasks.length, [], []),
    orderOnly: new Uint8Array(0),
    valuesFiles: {},
    temporary: [],
  });
  return {
    plan,
    inputs: { files: [], env: {} },
    warnings: [],
    secretValues,
    keep: () => {},
  };
}
