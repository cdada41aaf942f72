// What backends made elsewhere: jobs, pools and storage that their own records tell of.

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { type BackendPorts, layout, type PlanProject } from "@flow/core";
import { loadBackend, placeOf } from "../backends.ts";
import type { Io } from "../io.ts";
import { liveRuns } from "../record/runs.ts";

/** Removes it but for what living runs use, and says so; returns a sentence for each thing that stays. */
export async function cleanElsewhere(
  project: PlanProject,
  env: BackendPorts["env"],
  io: Io,
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { name, use, options } of project.backends) {
    if (!existsSync(`${layout(project.root).state}/backends/${name}`)) continue;
    const plugin = await loadBackend(use, dirname(project.file));
    if (!plugin.ok || plugin.value.cleanUp === undefined) continue;
    const context = placeOf(plugin.value, name, options, project, env, io);
    if (!context.ok) continue;
    const runs = liveRuns(project.root).map(({ run }) => run);
    const cleaned = await plugin.value.cleanUp(context.value, runs);
    for (const thing of cleaned.removed) io.stderr.write(`removed the ${thing}\n`);
    problems.push(...cleaned.problems);
  }
  return problems;
}
