// The plug-in `gpu`: tasks as processes of this machine that share its GPUs by measured need.

import { type BackendPlugin, defineBackend, err, ok, type Task } from "@flow/core";
import { openGpu } from "./backend.ts";
import {
  type GpuOptions,
  type GpuTaskOptions,
  parseGpus,
  parseOptions,
  parseTaskOptions,
} from "./options.ts";
import { type Gpu, openReader } from "./reader/reader.ts";

export type { GpuOptions, GpuTaskOptions } from "./options.ts";

export const backend: BackendPlugin<GpuOptions, GpuTaskOptions> = defineBackend({
  type: "gpu",
  parseOptions,
  parseTaskOptions,
  refuse,
  async open(context) {
    const { env } = context.ports;
    const asked = parseGpus(env["FLOW_USE_GPUS"]);
    if (asked === undefined)
      return err("FLOW_USE_GPUS takes `none`, a GPU, or a list such as `0,1`.");
    const gpus = asked.length === 0 ? context.options.gpus : asked;
    const options: GpuOptions = { ...context.options, gpus };
    return ok(openGpu({ ...context, options }, await gpusToUse(gpus, context.ports)));
  },
});

function refuse({ container, resources: { nodes, mpiProcesses } }: Task): string | undefined {
  if (container !== undefined) {
    return "asks for a container, and the backend `gpu` runs none; choose a backend that does, or remove `container`";
  }
  if ((nodes ?? 1) > 1 || mpiProcesses !== undefined) {
    return "asks for several nodes or MPI, and the backend `gpu` is one machine; choose a cluster's backend";
  }
  return undefined;
}

/** The GPUs to use, or why there is none. */
async function gpusToUse(
  names: GpuOptions["gpus"],
  ports: Parameters<typeof openReader>[0],
): Promise<readonly Gpu[] | string> {
  if (names === "none") return "No GPU is to be used (`--gpus none`).";
  const reader = await openReader(ports);
  if (!reader.ok) return reader.error;
  const { gpus } = reader.value;
  await reader.value[Symbol.asyncDispose]();
  const known = gpus.flatMap(({ id, index }) => [id, String(index)]);
  const missing = names.find((name) => !known.includes(name));
  if (missing !== undefined) return `This machine has no GPU \`${missing}\`.`;
  const isNamed = ({ id, index }: Gpu): boolean =>
    names.includes(id) || names.includes(String(index));
  const named = names.length === 0 ? gpus : gpus.filter(isNamed);
  if (named.some(({ unusable }) => unusable === undefined)) return named;
  return `No GPU can be used: ${named.map(({ index, unusable }) => `GPU ${index}: ${unusable}`).join("; ")}.`;
}
