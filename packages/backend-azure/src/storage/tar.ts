// Small tar files, made in memory.

import { TAR_END, tarHeaders, tarPadding } from "@flow/core";

export interface TarFile {
  /** Relative, with slashes. */
  readonly path: string;
  readonly data: Uint8Array;
}

/** The files as one tar file, the same for the same files. */
export function packTar(files: readonly TarFile[]): Buffer {
  const parts = files.flatMap(({ path, data }) => {
    const size = data.byteLength;
    return [...tarHeaders({ path, kind: "file", content: "", size }), data, tarPadding(size)];
  });
  return Buffer.concat([...parts, TAR_END]);
}
