// The tasks that a command line selects, from the cached plan where it still holds, for the verbs
// that look at what is on record.

import { err, type OpenedPlan, ok, openPlan, type Result, type Task } from "@flow/core";
import { EXIT, type ExitCode } from "./exit-codes.ts";
import type { Invocation } from "./invocation.ts";
import type { Io } from "./io.ts";
import { printDiagnostics } from "./project.ts";
import { cacheRoot, projectRequest } from "./run/request.ts";
import { VERSION } from "./version.ts";

export interface SelectedTasks extends OpenedPlan {
  /** Those that were asked for themselves. */
  readonly asked: readonly Task[];
}

/** Opens the plan of `selectors` (none: the default); or prints what is wrong and gives the exit code. */
export async function openSelection(
  invocation: Invocation,
  io: Io,
  selectors: readonly string[] = invocation.positionals,
): Promise<Result<SelectedTasks, ExitCode>> {
  const asked = projectRequest(invocation, io);
  if ("problem" in asked) {
    io.stderr.write(`flow: ${asked.problem}\n`);
    return err(EXIT.usage);
  }
  const request = { ...asked.request, selectors, only: false, options: {}, version: VERSION };
  const opened = await openPlan(request, cacheRoot(request));
  if (!opened.ok) {
    printDiagnostics(opened.error, invocation, io);
    return err(EXIT.usage);
  }
  const { plan } = opened.value;
  return ok({ ...opened.value, asked: plan.asked.flatMap((index) => plan.tasks[index] ?? []) });
}

/** {@link openSelection} for verbs that work on one task; several are listed and refused. */
export async function openOne(
  invocation: Invocation,
  io: Io,
): Promise<Result<SelectedTasks & { readonly task: Task }, ExitCode>> {
  const opened = await openSelection(invocation, io);
  if (!opened.ok) return opened;
  const [task, ...others] = opened.value.asked;
  if (task !== undefined && others.length === 0) return ok({ ...opened.value, task });
  const names = opened.value.asked.slice(0, 5).map(({ id }) => `  ${id}\n`);
  const more = others.length > 4 ? `  … and ${others.length - 4} more\n` : "";
  io.stderr.write(
    task === undefined
      ? "flow: no task was selected.\n"
      : `flow: \`flow ${invocation.verb}\` takes one task; these were selected:\n${names.join("")}${more}`,
  );
  return err(EXIT.usage);
}
