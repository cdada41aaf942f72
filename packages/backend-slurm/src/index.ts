// The plug-in `slurm`: tasks as jobs of a SLURM cluster.

import {
  type BackendContext,
  type BackendPlugin,
  defineBackend,
  err,
  type Job,
  ok,
  type Result,
} from "@flow/core";
import { openCluster } from "./backend.ts";
import { folderOf } from "./folder.ts";
import { hasSubmissions, removeIdle } from "./housekeeping.ts";
import {
  parseOptions,
  parseTaskOptions,
  type SlurmOptions,
  type SlurmTaskOptions,
} from "./options.ts";
import { Queue } from "./queue.ts";
import { refuseEverywhere } from "./refuse.ts";
import { slurm } from "./schedulers/slurm/slurm.ts";
import { hasPlace, makePlace, removePlace } from "./site/place.ts";
import { execTransport } from "./transport/exec.ts";
import { complaint, type Transport } from "./transport/transport.ts";

export type { SlurmOptions, SlurmTaskOptions } from "./options.ts";

const TYPE = "slurm";

export const backend: BackendPlugin<SlurmOptions, SlurmTaskOptions> = defineBackend({
  type: TYPE,
  parseOptions,
  parseTaskOptions,
  refuse: refuseEverywhere,
  async cleanUp(context, runs) {
    const folder = folderOf(context);
    if (runs.length > 0 || !(hasPlace(context) || hasSubmissions(folder)))
      return { removed: [], problems: [] };
    const transport = await openTransport(context);
    const queue = new Queue(slurm(context.options), transport, context.ports.clock);
    try {
      const there = hasPlace(context) ? [await removePlace(context, transport)] : [];
      const here = hasSubmissions(folder) ? [removeIdle(folder, await queue.list())] : [];
      const all = [...there, ...here];
      return {
        removed: all.flatMap(({ removed }) => removed),
        problems: all.flatMap(({ problems }) => problems),
      };
    } finally {
      await transport[Symbol.asyncDispose]();
    }
  },
  async open(context) {
    const scheduler = slurm(context.options);
    const transport = await openTransport(context);
    const base = await arrive(context, scheduler.probe, transport);
    if (!base.ok) {
      // An open connection would keep flow from ending.
      await transport[Symbol.asyncDispose]();
      return base;
    }
    const { poll, pilots: most, pilot_time: timeMs, pilot_idle: idleMs } = context.options;
    const pilotTime = (job: Job) => (wantsPilot(job, context.options) ? timeMs : undefined);
    const pilots = { most, timeMs, idleMs };
    return ok(
      openCluster(context, {
        type: TYPE,
        scheduler,
        transport,
        base: base.value,
        pollMs: poll,
        pilots,
        pilotTime,
      }),
    );
  },
});

/** The project's folder there, as {@link makePlace} has it, once the scheduler's commands can be run. */
async function arrive(
  context: BackendContext<SlurmOptions>,
  probe: readonly string[],
  transport: Transport,
): Promise<Result<string | undefined, string>> {
  const result = await transport.run(probe, "");
  return result.code === 0
    ? makePlace(context, transport)
    : err(unusable(probe, context.options.host, complaint(result)));
}

/** Tasks that take no longer are not worth a job each. */
const SHORT_MS = 120_000;

/** Pilots take their tasks from a folder that flow sees too. */
function wantsPilot({ resources, options }: Job, defaults: SlurmOptions): boolean {
  if (defaults.folder !== undefined) return false;
  const mode = (options as Partial<SlurmTaskOptions>).mode ?? defaults.mode ?? "auto";
  if (mode !== "auto") return mode === "pilot";
  return (
    resources.timeMs !== undefined && resources.timeMs <= SHORT_MS && (resources.nodes ?? 1) === 1
  );
}

/** The client is loaded only where it is used. */
async function openTransport({
  options,
  root,
  ports,
}: BackendContext<SlurmOptions>): Promise<Transport> {
  const { host, user, port, identity, ssh_config: config } = options;
  if (host === undefined) return execTransport(root, outside(ports.env));
  const target = { host, user, port, identity, config };
  const cwd = options.folder === undefined ? root : ".";
  if (options.transport === "openssh") {
    const { opensshTransport } = await import("./transport/openssh.ts");
    return opensshTransport(target, cwd, ports.env);
  }
  const { sshTransport } = await import("./transport/ssh.ts");
  return sshTransport(target, cwd, ports.env, ports.clock);
}

function unusable(probe: readonly string[], host: string | undefined, why: string): string {
  const command = `\`${probe.join(" ")}\``;
  return host === undefined
    ? `${command} cannot be run: ${why}. Run flow on a login node of the cluster, or name one with \`host:\`.`
    : `${command} cannot be run on ${host}: ${why}.`;
}

/** The environment without the marks of a job that flow itself may run in: its own jobs are no steps of it. */
const outside = (
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> =>
  env["SLURM_JOB_ID"] === undefined
    ? env
    : Object.fromEntries(Object.entries(env).filter(([name]) => !/^SLURM_(?!CONF$)/.test(name)));
