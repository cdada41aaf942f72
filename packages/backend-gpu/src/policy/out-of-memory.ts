// Signs in a program's output that the memory of a GPU ran out. Only the output of programs that
// failed is read: the frameworks also print such lines when they recover.

import { GIB, MIB } from "./model.ts";

export interface OutOfMemory {
  /** A weak sign counts only together with what was measured. */
  readonly strength: "strong" | "weak";
  /** Size of the allocation that failed, where the text tells. */
  readonly askedBytes: number | undefined;
  /** What the process held then, where the text tells. */
  readonly usedBytes: number | undefined;
  /** The line that shows it. */
  readonly line: string;
}

const STRONG = [
  /CUDA out of memory/i,
  /CUDA error: out of memory/i,
  /torch(\.cuda)?\.OutOfMemoryError/,
  /HIP out of memory/i,
  /hipErrorOutOfMemory/,
  /RESOURCE_EXHAUSTED: Out of memory/i,
  /Resource exhausted: Out of memory while trying to allocate/i,
  /OOM when allocating tensor/,
  /CUDA_ERROR_OUT_OF_MEMORY/,
  /cudaErrorMemoryAllocation/,
  /cudaMalloc failed: out of memory/i,
  /cupy\.cuda\.memory\.OutOfMemoryError/,
  /Free memory on device .* is less than desired/i,
];

const WEAK = [
  /CUBLAS_STATUS_ALLOC_FAILED/,
  /CUBLAS_STATUS_NOT_INITIALIZED/,
  /CUDNN_STATUS_ALLOC_FAILED/,
  /CUDNN_STATUS_NOT_INITIALIZED/,
  /DNN library initialization failed/,
];

/** What a failed program's last output says; undefined when nothing of GPU memory. */
export function findOutOfMemory(text: string): OutOfMemory | undefined {
  const lines = text.split("\n");
  const strong = lines.findLast((line) => STRONG.some((sign) => sign.test(line)));
  if (strong !== undefined) return { strength: "strong", ...amounts(strong), line: strong.trim() };
  const weak = lines.findLast((line) => WEAK.some((sign) => sign.test(line)));
  return weak === undefined
    ? undefined
    : { strength: "weak", askedBytes: undefined, usedBytes: undefined, line: weak.trim() };
}

function amounts(line: string): Pick<OutOfMemory, "askedBytes" | "usedBytes"> {
  return {
    askedBytes:
      amount(/tried to allocate ([\d.]+) ?([KMG]i?B)/i, line) ??
      amount(/trying to allocate ([\d.]+) ?(bytes|[KMG]i?B)/i, line),
    usedBytes:
      amount(/this process has ([\d.]+) ?([KMG]i?B) memory in use/i, line) ??
      amount(/([\d.]+) ?([KMG]i?B) already allocated/i, line),
  };
}

const UNITS: Readonly<Record<string, number>> = { bytes: 1, k: 1024, m: MIB, g: GIB };

function amount(pattern: RegExp, line: string): number | undefined {
  const [, number, unit = ""] = pattern.exec(line) ?? [];
  if (number === undefined) return undefined;
  const factor = UNITS[unit.toLowerCase()] ?? UNITS[unit.charAt(0).toLowerCase()];
  return factor === undefined ? undefined : Math.round(Number(number) * factor);
}
