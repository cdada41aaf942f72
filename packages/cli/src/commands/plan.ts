// `flow plan`: what a run would do, why, in which order. Writes nothing.

import {
  describeReason,
  forecast,
  type OpenedPlan,
  openInspector,
  openPlan,
  openState,
} from "@flow/core";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Command, Invocation } from "../invocation.ts";
import type { Io } from "../io.ts";
import { printDiagnostics } from "../project.ts";
import { cacheRoot, planRequestOf } from "../run/request.ts";

export const command: Command = async (invocation, io) => {
  const asked = planRequestOf(invocation, io);
  if ("problem" in asked) {
    io.stderr.write(`flow: ${asked.problem}\n`);
    return EXIT.usage;
  }
  const opened = await openPlan(asked.request, cacheRoot(asked.request));
  if (!opened.ok) {
    printDiagnostics(opened.error, invocation, io);
    return EXIT.usage;
  }
  return showPlan(opened.value, invocation, io);
};

/** Also what `flow run --dry-run` shows. */
export async function showPlan(
  { plan }: OpenedPlan,
  invocation: Invocation,
  io: Io,
): Promise<ExitCode> {
  const state = openState(plan.project.root);
  const asked = new Set(plan.asked.map((index) => plan.tasks[index]?.key));
  const inspector = openInspector(plan, state, {
    env: io.env,
    isForced: (task) => invocation.has("force") && asked.has(task.key),
    rebuildModified: invocation.has("rebuild-modified"),
    strict: invocation.has("strict"),
  });
  const prospects = await forecast(plan, inspector);
  let stale = 0;
  prospects.forEach(({ verdict, reasons, problems }, index) => {
    if (verdict === "fresh") return;
    stale += 1;
    const why = [...reasons.map(describeReason), ...problems.map(({ message }) => message)];
    io.stdout.write(
      `${plan.tasks[index]?.id ?? ""}\n${why.map((line) => `    ${line}\n`).join("")}`,
    );
  });
  io.stderr.write(`${stale} of ${plan.tasks.length} tasks would run\n`);
  return stale > 0 && invocation.verb === "plan" && invocation.has("check") ? EXIT.stale : EXIT.ok;
}
