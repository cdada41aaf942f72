// NVML's list of processes. Its entries have changed size without a new name, so the size is found by
// looking how far the library wrote into a buffer that was filled beforehand.

import type { GpuProcess } from "./reader.ts";

/** Above every pid Linux gives out. */
const PID_LIMIT = 2 ** 22 + 1;
/** What stands for "not available". */
const NOT_AVAILABLE = 2n ** 64n - 1n;

/** The processes in a buffer that held nothing but `sentinel` before; undefined when it makes no sense. */
export function processesIn(
  list: Buffer,
  count: number,
  sentinel: number,
  mostBytes: number,
): readonly GpuProcess[] | undefined {
  if (count === 0) return [];
  let end = list.length;
  while (end > 0 && list[end - 1] === sentinel) end--;
  // The last entry's padding may not be written, which is less than the rounding.
  const stride = Math.ceil(end / count / 8) * 8;
  if (stride < 16 || stride > 40 || stride * count > list.length) return undefined;
  const processes: GpuProcess[] = [];
  for (let at = 0; at < count * stride; at += stride) {
    const pid = list.readUInt32LE(at);
    const bytes = list.readBigUInt64LE(at + 8);
    if (pid === 0 || pid > PID_LIMIT) return undefined;
    if (bytes !== NOT_AVAILABLE && bytes > mostBytes) return undefined;
    processes.push({ pid, bytes: bytes === NOT_AVAILABLE ? undefined : Number(bytes) });
  }
  return processes;
}
