// `flow plan --requests`: what backends would send elsewhere for the tasks that would run.

import { dirname } from "node:path";
import type { BackendPorts, Json, Plan, Task } from "@flow/core";
import { loadBackend, placeOf } from "../backends.ts";
import { EXIT, type ExitCode } from "../exit-codes.ts";
import type { Io } from "../io.ts";

/** Prints it as JSON, one list per backend. `everywhere`: the backend that all tasks are sent to. */
export async function showRequests(
  { project }: Pick<Plan, "project">,
  tasks: readonly Task[],
  everywhere: string | undefined,
  env: BackendPorts["env"],
  io: Io,
): Promise<ExitCode> {
  const shown: Record<string, readonly Json[]> = {};
  const names = new Set(tasks.map(({ backend }) => everywhere ?? backend));
  for (const name of names) {
    const declared = project.backends.find((each) => each.name === name);
    const plugin = await loadBackend(declared?.use ?? name, dirname(project.file));
    if (!plugin.ok || plugin.value.requests === undefined) continue;
    const context = placeOf(plugin.value, name, declared?.options ?? {}, project, env, io);
    if (!context.ok) {
      io.stderr.write(`flow: ${context.error}\n`);
      return EXIT.usage;
    }
    const own = tasks.filter(({ backend }) => (everywhere ?? backend) === name);
    shown[name] = plugin.value.requests(context.value, own);
  }
  io.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
  return EXIT.ok;
}
