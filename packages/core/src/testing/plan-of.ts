// Small plans for the machine, written as what differs from a plain task.

import type { MachineBackend, MachinePlan, MachineTask } from "../machine/plan.ts";
import { NO_RESOURCES, type ResourceRequest } from "../model/resources.ts";

/** A task of a plan; what is left out is plain. `deps` are indices of earlier tasks. */
export interface TaskSpec extends Omit<Partial<MachineTask>, "resources"> {
  readonly deps?: readonly number[];
  readonly resources?: Partial<ResourceRequest>;
  /** @default 0 */
  readonly weight?: number;
}

const PLAIN: MachineTask = {
  backend: 0,
  resources: NO_RESOURCES,
  pools: {},
  retries: { max: 0, causes: [], backoffMs: 0, backoffMaxMs: 0, escalate: {} },
  requeue: { mode: "auto", codes: [], max: undefined, delayMs: 0 },
  allowFailure: false,
  priority: 0,
  group: -1,
  failFast: false,
  grouping: false,
  bearsPruned: false,
  exclusive: false,
};

/** The machine's plan of these tasks; one local backend unless told otherwise. */
export function planOf(
  specs: readonly TaskSpec[],
  backends: readonly MachineBackend[] = [{ local: true }],
): MachinePlan {
  const dependents: number[][] = specs.map(() => []);
  const dependencyCount = new Int32Array(specs.length);
  for (const [index, { deps = [] }] of specs.entries()) {
    const distinct = new Set(deps);
    dependencyCount[index] = distinct.size;
    for (const dep of distinct) dependents[dep]?.push(index);
  }
  const dependentStart = new Int32Array(specs.length + 1);
  for (const [index, list] of dependents.entries()) {
    dependentStart[index + 1] = (dependentStart[index] ?? 0) + list.length;
  }
  return {
    size: specs.length,
    tasks: specs.map((spec) => ({
      ...PLAIN,
      ...spec,
      resources: { ...NO_RESOURCES, ...spec.resources },
    })),
    dependentStart,
    dependents: Int32Array.from(dependents.flat()),
    dependencyCount,
    weight: Float64Array.from(specs, ({ weight }) => weight ?? 0),
    backends,
  };
}
