// How much may count as code. Too much stops with a list of what is big; nothing is dropped unasked.

import { formatBytes } from "../model/units.ts";

/** Most bytes of one file, and of all together. */
export interface CodeLimits {
  readonly fileBytes: number;
  readonly treeBytes: number;
}

export const CODE_LIMITS: CodeLimits = { fileBytes: 10e6, treeBytes: 200e6 };

const LISTED = 10;

/** A file as far as the limits care; those named under `code.include` are wanted whatever their size. */
export interface SizedFile {
  readonly path: string;
  readonly size: number;
  readonly included: boolean;
}

/** What is too big, and what to do about it; undefined when nothing is. */
export function oversize(files: readonly SizedFile[], limits: CodeLimits): string | undefined {
  const counted = files.filter(({ included }) => !included);
  const total = counted.reduce((sum, { size }) => sum + size, 0);
  const big = counted.filter(({ size }) => size > limits.fileBytes);
  if (big.length === 0 && total <= limits.treeBytes) return undefined;
  const listed = [...(big.length > 0 ? big : counted)].sort((a, b) => b.size - a.size);
  const lines = listed.slice(0, LISTED).map(({ path, size }) => `  ${formatBytes(size)}  ${path}`);
  const rest = listed.length - lines.length;
  const head =
    big.length > 0
      ? `${big.length === 1 ? "a file is" : `${big.length} files are`} larger than ${formatBytes(limits.fileBytes)}, too large for code:`
      : `the code is ${formatBytes(total)} large, more than ${formatBytes(limits.treeBytes)}; its largest files:`;
  return [
    head,
    ...lines,
    ...(rest > 0 ? [`  and ${rest} more`] : []),
    "Leave out what is data with `code: {omit: [...]}` or in .flowignore, or name what belongs to the code under `code: {include: [...]}`.",
  ].join("\n");
}
