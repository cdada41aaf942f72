// Where a task runs and what it takes: resources, pools, backend, container, mounts.

import { didYouMean } from "../../diagnostics/suggest.ts";
import { NO_RESOURCES, type PoolRequest, type ResourceRequest } from "../../model/resources.ts";
import { checkTaskOptions, unknownBackend } from "../backends.ts";
import type { Node } from "../document/node.ts";
import { child, spanOf } from "../document/node.ts";
import { fillData } from "../template/fill-data.ts";
import type { FieldReader, Fields } from "./fields.ts";
import type { Loading } from "./scope.ts";

/** `resources:`, a task's own keys over those of the defaults. */
export function readResources(reader: FieldReader): ResourceRequest {
  const given = reader.merged("resources");
  if (given.size === 0) return NO_RESOURCES;
  return {
    cpusMilli: reader.milli(given.get("cpus")),
    memoryBytes: reader.bytes(given.get("mem")),
    gpusMilli: reader.milli(given.get("gpus")),
    gpuMemoryBytes: reader.bytes(given.get("gpu_mem")),
    gpuModel: reader.text(given.get("gpu_model")),
    elseCpusMilli: reader.milli(given.get("else_cpus")),
    diskBytes: reader.bytes(given.get("disk")),
    timeMs: reader.duration(given.get("time")),
    nodes: reader.count(given.get("nodes")),
    mpiProcesses: reader.count(child(given.get("mpi"), "processes")),
  };
}

const NO_POOLS: PoolRequest = {};

/** `pools:`, names (one of each) or name to amount. */
export function readPools(reader: FieldReader, loading: Loading): PoolRequest {
  const node = reader.node("pools");
  if (node === undefined) return NO_POOLS;
  const pools: Record<string, number> = {};
  if (node.kind === "map") {
    for (const [name, value] of reader.merged("pools")) {
      const amount = reader.number(value, "a number from 0", (number) => number >= 0);
      if (amount !== undefined && isPool(name, amount, value, loading)) pools[name] = amount;
    }
    return pools;
  }
  for (const name of reader.texts(node)) {
    if (isPool(name, 1, node, loading)) pools[name] = 1;
  }
  return pools;
}

function isPool(name: string, amount: number, node: Node, loading: Loading): boolean {
  const capacity = loading.pools.get(name);
  if (capacity === undefined) {
    loading.report.error("unknown-pool", spanOf(node), `there is no pool \`${name}\``, {
      fix:
        didYouMean(name, loading.pools.keys()) ??
        `Declare it at the top of the file: pools: {${name}: 1}`,
    });
  } else if (amount > capacity) {
    loading.report.error(
      "unknown-pool",
      spanOf(node),
      `this task holds ${amount} of the pool \`${name}\`, which has ${capacity}`,
      { fix: "It could never run; ask for less or enlarge the pool." },
    );
  } else {
    return true;
  }
  return false;
}

/** `backend:`, which must be declared or built in. */
export function readBackend(reader: FieldReader, loading: Loading): string {
  const node = reader.node("backend");
  const name = reader.text(node);
  if (node === undefined || name === undefined) return "local";
  const unknown = unknownBackend(name, loading.backends.keys());
  if (unknown === undefined) return name;
  const { message, fix } = unknown;
  loading.report.error("unknown-backend", spanOf(node), message, { fix });
  return "local";
}

const NO_OPTIONS: Readonly<Record<string, unknown>> = {};

/** The blocks named after backends (`slurm: {…}`), by block name. */
export function readBackendOptions(
  fields: Fields,
  reader: FieldReader,
  loading: Loading,
): Readonly<Record<string, unknown>> {
  let options: Record<string, unknown> | undefined;
  for (const name of loading.optionBlocks) {
    if (child(fields.own, name) === undefined && child(fields.defaults, name) === undefined)
      continue;
    const block: Record<string, unknown> = {};
    for (const [key, value] of reader.merged(name)) block[key] = fillData(value, reader.filling);
    options ??= {};
    options[name] = block;
    const node = child(fields.own, name) ?? child(fields.defaults, name);
    if (node !== undefined) checkTaskOptions(name, block, node, loading, reader.filling);
  }
  return options ?? NO_OPTIONS;
}
