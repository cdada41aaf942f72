// What tasks may ask of a backend, and this one cannot give.

import type { Refuse } from "@flow/core";

/** GPUs are handed out by the backend `gpu`; a task that can do without is fine. */
export const refuse: Refuse = ({ container, resources }) => {
  const { gpusMilli, gpuMemoryBytes, elseCpusMilli, nodes, mpiProcesses } = resources;
  const wantsGpu = (gpusMilli ?? 0) > 0 || gpuMemoryBytes !== undefined;
  if (container !== undefined) {
    return "asks for a container, and the backend `local` runs none; choose a backend that does, or remove `container`";
  }
  if (wantsGpu && elseCpusMilli === undefined) {
    return "asks for a GPU, and the backend `local` hands out none; use `backend: gpu`, or give `else_cpus` to run without";
  }
  if ((nodes ?? 1) > 1 || mpiProcesses !== undefined) {
    return "asks for several nodes or MPI, and the backend `local` is one machine; choose a cluster's backend";
  }
  return undefined;
};
