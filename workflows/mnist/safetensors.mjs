// Named arrays in one file, in the safetensors format, which PyTorch, JAX and others read as well:
// eight bytes with the length of a JSON header, the header (types, shapes, offsets, metadata as
// strings), then the raw little-endian numbers. Holds data sets, checkpoints and models here.

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";

const types = { F32: Float32Array, U8: Uint8Array };

/**
 * Writes `tensors` (name → {shape, values}) so that a reader sees the whole file or the old one:
 * a temporary file beside it, synced, then renamed.
 */
export function writeTensors(path, tensors, metadata = {}) {
  const header = { __metadata__: metadata };
  let end = 0;
  for (const [name, { shape, values }] of Object.entries(tensors)) {
    const dtype = values instanceof Float32Array ? "F32" : "U8";
    header[name] = { dtype, shape, data_offsets: [end, end + values.byteLength] };
    end += values.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, " ");
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const temporary = `${path}.${process.pid}.tmp`;
  const file = openSync(temporary, "w");
  for (const part of [
    length,
    padded,
    ...Object.values(tensors).map(({ values }) => bytesOf(values)),
  ]) {
    for (let done = 0; done < part.length; ) done += writeSync(file, part, done);
  }
  fsyncSync(file);
  closeSync(file);
  renameSync(temporary, path);
}

/** Reads what `writeTensors` wrote: {tensors: name → {shape, values}, metadata}. */
export function readTensors(path) {
  const file = readFileSync(path);
  const headerEnd = 8 + Number(file.readBigUInt64LE(0));
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(
    file.toString("utf8", 8, headerEnd),
  );
  const tensors = {};
  for (const [
    name,
    {
      dtype,
      shape,
      data_offsets: [from, to],
    },
  ] of Object.entries(entries)) {
    const start = file.byteOffset + headerEnd + from;
    tensors[name] = {
      shape,
      values: new types[dtype](file.buffer.slice(start, start + to - from)),
    };
  }
  return { tensors, metadata };
}

function bytesOf(values) {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}
