// `flow gpu doctor`: what GPUs can be seen, how, and what stands in the way of sharing them.

import { amdNotice, connect, openReader, socketPath } from "@flow/backend-gpu/client";
import { silentLog } from "@flow/core";
import { EXIT } from "../exit-codes.ts";
import { type GpuVerb, outside } from "./verb.ts";

export const verb: GpuVerb = async (_args, io) => {
  const reader = await openReader({ env: io.env, log: silentLog });
  const path = socketPath(io.env);
  const connected = await connect(path);
  if (connected.ok) connected.value.close();
  const broker = connected.ok ? `runs on ${path}` : `does not run (${path}: ${connected.error})`;
  if (!reader.ok) {
    io.stdout.write(`broker: ${broker}\n`);
    return outside(io, reader.error);
  }
  const { source, gpus } = reader.value;
  io.stdout.write(`read through: ${source}\nbroker: ${broker}\n`);
  const readings = await reader.value.read();
  for (const gpu of gpus) {
    const reading = readings.find(({ id }) => id === gpu.id);
    const notes = [
      gpu.unusable,
      reading?.lost,
      gpu.single
        ? "takes one process at a time (EXCLUSIVE_PROCESS), so it is not shared"
        : undefined,
      reading?.processes === undefined
        ? "processes cannot be told apart, so jobs are measured by card"
        : undefined,
    ].filter((note) => note !== undefined);
    const memory = `${(gpu.capacityBytes / 2 ** 30).toFixed(1)} GiB`;
    const state = notes.length === 0 ? "ready to be shared" : notes.join("; ");
    io.stdout.write(`GPU ${gpu.index} ${gpu.model} ${memory} ${gpu.id}: ${state}\n`);
  }
  const amd = amdNotice();
  if (amd !== undefined) io.stdout.write(`${amd}\n`);
  await reader.value[Symbol.asyncDispose]();
  return EXIT.ok;
};
