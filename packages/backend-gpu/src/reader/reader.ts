// Reading GPUs: what there is, who holds memory, how busy. Two sources give the same answers, the
// driver's library and one long-lived `nvidia-smi`.

import type { Log, Result } from "@flow/core";
import { err } from "@flow/core";
import type { Card } from "../policy/model.ts";
import { openNvml } from "./nvml.ts";
import { openSmi } from "./smi.ts";
import { amdNotice } from "./unsupported.ts";

/** A GPU as it is made. */
export interface Gpu {
  /** UUID. */
  readonly id: string;
  /** In PCI bus order, as CUDA counts with CUDA_DEVICE_ORDER=PCI_BUS_ID. */
  readonly index: number;
  readonly model: string;
  /** Memory without what the driver keeps for itself. */
  readonly capacityBytes: number;
  /** Compute mode EXCLUSIVE_PROCESS: one process at a time. */
  readonly single: boolean;
  /** Why nothing can run on it (compute mode PROHIBITED, MIG); absent when something can. */
  readonly unusable: string | undefined;
  /** GPUs of one group hang on one host bridge. */
  readonly group: string;
}

/** A GPU as the policy sees it while nothing is on it. */
export const cardOf = ({
  id,
  index,
  model,
  capacityBytes,
  single,
  unusable,
  group,
}: Gpu): Card => ({
  id,
  name: `GPU ${index}`,
  model,
  capacityBytes,
  foreignBytes: 0,
  foreignWho: undefined,
  closed: unusable,
  single,
  attributed: true,
  group,
});

/** A process that holds memory of a GPU. */
export interface GpuProcess {
  /** As the host counts. */
  readonly pid: number;
  /** Absent where the driver does not tell. */
  readonly bytes: number | undefined;
}

/** What a GPU does now. */
export interface GpuReading {
  readonly id: string;
  /** Absent where the driver does not tell. */
  readonly usedBytes: number | undefined;
  /** Share of the last moment in which it was busy. */
  readonly load: number | undefined;
  /** Absent where processes cannot be told apart. */
  readonly processes: readonly GpuProcess[] | undefined;
  /** Why it cannot be read any more; absent when it can. */
  readonly lost: string | undefined;
}

export interface Reader extends AsyncDisposable {
  readonly source: "nvml" | "nvidia-smi";
  readonly gpus: readonly Gpu[];
  read(): Promise<readonly GpuReading[]>;
}

export interface ReaderOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** Where the kernel shows devices; absent: /sys. */
  readonly sys?: string;
}

/** Opens the best source there is; fails with a sentence that says why there is none. */
export async function openReader(options: ReaderOptions): Promise<Result<Reader, string>> {
  const nvml = await openNvml(options);
  if (nvml.ok) return nvml;
  const smi = await openSmi(options);
  if (smi.ok) {
    options.log.debug(`GPUs are read through nvidia-smi: ${nvml.error}`);
    return smi;
  }
  const found = `No GPU was found: ${nvml.error}; ${smi.error}.`;
  const amd = amdNotice(options.sys);
  return err(amd === undefined ? found : `${found} ${amd}`);
}
