// The lines `nvidia-smi` prints: comma-separated, amounts in MiB, and many words for "not available".

import { MIB } from "../policy/model.ts";
import type { Gpu, GpuProcess } from "./reader.ts";
import { MIG_REASON } from "./unsupported.ts";

export const GPU_FIELDS =
  "index,uuid,name,memory.total,memory.reserved,memory.used,utilization.gpu,compute_mode,mig.mode.current";
export const APP_FIELDS = "gpu_uuid,pid,used_memory";

export interface SmiGpu {
  readonly gpu: Gpu;
  readonly usedBytes: number | undefined;
  readonly load: number | undefined;
  readonly lost: string | undefined;
}

/** One line of `--query-gpu`; undefined for what is none. */
export function parseGpu(line: string): SmiGpu | undefined {
  const fields = line.split(",").map((field) => field.trim());
  if (fields.length !== 9) return undefined;
  const [index, id, model, total, reserved, used, load, mode, mig] = fields;
  const totalBytes = amount(total);
  if (!/^\d+$/.test(index ?? "") || id === undefined || !/^(GPU|MIG)-/.test(id)) return undefined;
  const percent = number(load);
  return {
    gpu: {
      id,
      index: Number(index),
      model: model ?? "NVIDIA GPU",
      capacityBytes: (totalBytes ?? 0) - (amount(reserved) ?? 0),
      single: /^Exclusive/i.test(mode ?? ""),
      unusable: /^Prohibited/i.test(mode ?? "")
        ? "its compute mode is PROHIBITED"
        : /^Enabled/i.test(mig ?? "")
          ? MIG_REASON
          : undefined,
      group: `bridge of GPU ${index}`,
    },
    usedBytes: amount(used),
    load: percent === undefined ? undefined : percent / 100,
    lost: /ERR!|GPU is lost/i.test(line) ? "nvidia-smi reports an error of it" : undefined,
  };
}

/** One line of `--query-compute-apps`. */
export function parseApp(line: string): { id: string; process: GpuProcess } | undefined {
  const [id, pid, used] = line.split(",").map((field) => field.trim());
  if (id === undefined || !/^(GPU|MIG)-/.test(id) || !/^\d+$/.test(pid ?? "")) return undefined;
  return { id, process: { pid: Number(pid), bytes: amount(used) } };
}

/** `[N/A]`, `[Not Supported]`, `Not available in WDDM driver model` are no numbers. */
function number(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function amount(text: string | undefined): number | undefined {
  const mebibytes = number(text);
  return mebibytes === undefined ? undefined : mebibytes * MIB;
}
