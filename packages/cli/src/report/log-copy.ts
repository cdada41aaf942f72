// Copies a growing log file to an output, piece by piece, waiting where the output is slow.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Output } from "../io.ts";
import { MASK, type Mask } from "./mask.ts";
import { sanitize } from "./sanitize.ts";

const PIECE = 1 << 16;
const NEWLINE = 10;

export class LogCopy {
  readonly #path: string;
  readonly #output: Output;
  readonly #mask: Mask;
  #offset = 0;
  /** Bytes of a line whose end has not come yet. */
  #rest: Buffer = Buffer.alloc(0);

  constructor(path: string, output: Output, mask: Mask) {
    this.#path = path;
    this.#output = output;
    this.#mask = mask;
  }

  /** Whether nothing has come so far. */
  get isEmpty(): boolean {
    return this.#offset === 0;
  }

  /** Copies what is there: all, or only the last `lines` lines. */
  async begin(lines: number | undefined): Promise<void> {
    if (lines !== undefined) this.#offset = startOfLast(this.#path, lines);
    await this.more();
  }

  /** Copies what was added since. */
  async more(): Promise<void> {
    for (;;) {
      const bytes = readAt(this.#path, this.#offset);
      if (bytes.length === 0 || this.#output.isClosed) return;
      this.#offset += bytes.length;
      if (!this.#write(bytes)) await this.#output.drained();
    }
  }

  /** The end of a file without a last newline. */
  end(): void {
    if (this.#rest.length === 0) return;
    this.#output.write(this.#shown(this.#rest));
    if (this.#output.isTTY) this.#output.write("\n");
    this.#rest = Buffer.alloc(0);
  }

  #write(bytes: Buffer): boolean {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const end = all.lastIndexOf(NEWLINE) + 1;
    // A line longer than a piece goes out in pieces.
    const cut = all.length - end > PIECE ? all.length : end;
    this.#rest = all.subarray(cut);
    return cut === 0 || this.#output.write(this.#shown(all.subarray(0, cut)));
  }

  /** Sanitised for a terminal; elsewhere the bytes as they are, unless they hold a secret. */
  #shown(bytes: Buffer): string | Uint8Array {
    if (this.#output.isTTY) return this.#mask(sanitize(bytes.toString("utf8")));
    const masked = this.#mask(bytes.toString("utf8"));
    return masked.includes(MASK) ? masked : bytes;
  }
}

function readAt(path: string, offset: number): Buffer {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    const piece = Buffer.alloc(PIECE);
    return piece.subarray(0, readSync(descriptor, piece, 0, PIECE, offset));
  } catch {
    return Buffer.alloc(0);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Offset of the last `lines` lines, found from the end. */
function startOfLast(path: string, lines: number): number {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, "r");
    const { size } = fstatSync(descriptor);
    const piece = Buffer.alloc(PIECE);
    // The newline that ends the last line begins no further one.
    let left = lines + 1;
    for (let end = size; end > 0; end -= PIECE) {
      const begin = Math.max(0, end - PIECE);
      const read = readSync(descriptor, piece, 0, end - begin, begin);
      for (let at = read - 1; at >= 0; at -= 1) {
        if (piece[at] !== NEWLINE && begin + at === size - 1) left -= 1;
        if (piece[at] !== NEWLINE) continue;
        left -= 1;
        if (left === 0) return begin + at + 1;
      }
    }
    return 0;
  } catch {
    return 0;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
