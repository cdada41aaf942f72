// The IDX format of the MNIST files: a big-endian header (type, number of dimensions, sizes) and
// then unsigned bytes. Files are gzipped, as the original distribution has them.

import { readFileSync, writeFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";

const unsignedByte = 8;

/** The shape and the bytes of a gzipped IDX file. Throws if it is not one. */
export function readIdx(path) {
  const file = gunzipSync(readFileSync(path));
  if (file.readUInt16BE(0) !== 0 || file[2] !== unsignedByte) {
    throw new Error(`${path} is not an IDX file of unsigned bytes`);
  }
  const shape = Array.from({ length: file[3] }, (_, axis) => file.readUInt32BE(4 + 4 * axis));
  const bytes = file.subarray(4 + 4 * shape.length);
  const expected = shape.reduce((product, size) => product * size, 1);
  if (bytes.length !== expected) {
    throw new Error(`${path} holds ${bytes.length} bytes, its header says ${expected}`);
  }
  return { shape, bytes };
}

/** Writes `bytes` as a gzipped IDX file of the given shape. */
export function writeIdx(path, shape, bytes) {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = unsignedByte;
  header[3] = shape.length;
  for (const [axis, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * axis);
  writeFileSync(path, gzipSync(Buffer.concat([header, bytes])));
}
