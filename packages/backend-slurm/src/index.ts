// The plug-in `slurm`: tasks as jobs of a SLURM cluster.

import { type BackendPlugin, defineBackend, err, ok } from "@flow/core";
import { openCluster } from "./backend.ts";
import {
  parseOptions,
  parseTaskOptions,
  type SlurmOptions,
  type SlurmTaskOptions,
} from "./options.ts";
import { slurm } from "./schedulers/slurm/slurm.ts";
import { execTransport } from "./transport/exec.ts";
import { complaint } from "./transport/transport.ts";

export type { SlurmOptions, SlurmTaskOptions } from "./options.ts";

export const backend: BackendPlugin<SlurmOptions, SlurmTaskOptions> = defineBackend({
  type: "slurm",
  parseOptions,
  parseTaskOptions,
  async open(context) {
    const scheduler = slurm(context.options);
    const transport = execTransport(context.root, outside(context.ports.env));
    const probe = await transport.run(scheduler.probe, "");
    if (probe.code !== 0)
      return err(
        `\`${scheduler.probe.join(" ")}\` cannot be run: ${complaint(probe)}. Run flow on a login node of the cluster.`,
      );
    return ok(openCluster(context, { scheduler, transport, pollMs: context.options.poll }));
  },
});

/** The environment without the marks of a job that flow itself may run in: its own jobs are no steps of it. */
const outside = (
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> =>
  env["SLURM_JOB_ID"] === undefined
    ? env
    : Object.fromEntries(Object.entries(env).filter(([name]) => !/^SLURM_(?!CONF$)/.test(name)));
