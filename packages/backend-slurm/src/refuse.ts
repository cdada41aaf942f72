// What can never run here: said before a run starts instead of by a job that waits for ever.

import { type Refuse, type Task, unreturnedMetrics } from "@flow/core";
import type { SlurmTaskOptions } from "./options.ts";
import type { Demands, Scheduler } from "./schedulers/scheduler.ts";
import type { Transport } from "./transport/transport.ts";

/** What batch jobs cannot do anywhere. */
export const refuseEverywhere: Refuse = ({ container, interactive, resources }) => {
  if (container !== undefined)
    return "asks for a container, and the backend `slurm` runs none; start it in the action itself";
  if (interactive) return "is `interactive`, and a batch job has no terminal";
  if ((resources.gpusMilli ?? 0) % 1000 !== 0)
    return "asks for a part of a GPU, and SLURM grants whole ones; make `gpus` a whole number";
  return undefined;
};

/** What cannot be done for a project that the nodes do not see. */
export function refuseApart(
  task: Task,
  { mode }: Pick<SlurmTaskOptions, "mode">,
): string | undefined {
  if (mode === "pilot")
    return "asks for pilots (`mode: pilot`), and they need a project folder that the nodes see; leave out `folder` of the backend, or choose another `mode`";
  const glob = unreturnedMetrics(task);
  return glob === undefined
    ? undefined
    : `has metrics in \`${glob}\`, which would stay on the cluster; make their folder a target or one of \`outputs\`, or name the file`;
}

/** Asks the scheduler once for each kind of request. Nothing is refused while it does not answer. */
export function refuseHere(
  scheduler: Scheduler,
  transport: Transport,
  optionsOf: (task: Task) => Demands["options"],
): (task: Task) => Promise<string | undefined> {
  const answers = new Map<string, Promise<string | undefined>>();
  const limits = () => {
    const { argv, input } = scheduler.limits();
    return transport.run(argv, input);
  };
  let known: ReturnType<typeof limits> | undefined;
  const ask = async (demands: Demands, request: readonly string[]) => {
    const { argv, input } = scheduler.tryOut(request);
    known ??= limits();
    const why = scheduler.parseTryOut(await transport.run(argv, input), demands, await known);
    return why === undefined
      ? undefined
      : `can never start on this cluster: ${why} (\`${request.join(" ")}\`)`;
  };
  return async (task) => {
    const demands = { resources: task.resources, stop: task.stop, options: optionsOf(task) };
    const request = scheduler.request(demands);
    const key = request.join("\n");
    const answer = answers.get(key) ?? ask(demands, request);
    answers.set(key, answer);
    return answer;
  };
}
