// A stored tree as a tar file that is the same byte for byte wherever and whenever it is made:
// entries in order of their paths, one time, one owner, two modes. Written here because it is a
// header of 512 bytes, and the libraries that write one bring file systems of their own along.

import { refuseEscapingLinks } from "./links.ts";
import type { CodeEntry, TreeId } from "./manifest.ts";
import { SnapshotError } from "./snapshot-error.ts";
import { type ObjectStore, readObject, readTree } from "./store.ts";

const BLOCK = 512;

/** 1980: archives of other kinds know no earlier time, and tar warns of 1970. Unix seconds. */
const TIME = 315_532_800;

/** Room for a path in the header that every tar reads; longer ones get a record of their own. */
const NAME_BYTES = 100;

/** The largest size that the header's octal digits can tell. */
const MOST_BYTES = 8 ** 11 - 1;

/**
 * The tree's files and links as chunks of a tar file (ustar, with pax records for long names).
 * Rejects with {@link SnapshotError} when a link leads out of the tree or content is damaged.
 */
export async function* tarOf(store: ObjectStore, tree: TreeId): AsyncGenerator<Buffer> {
  const manifest = readTree(store, tree);
  refuseEscapingLinks(manifest);
  for (const entry of manifest) {
    yield* tarHeaders(entry);
    if (entry.kind === "link") continue;
    const data = readObject(store, entry.content);
    yield data;
    yield tarPadding(data.length);
  }
  yield TAR_END;
}

/** What ends a tar file. */
export const TAR_END: Buffer = Buffer.alloc(2 * BLOCK);

/** An entry of a tar file; `same`: another name of the file that `content` names in the same place. */
export type TarEntry = Omit<CodeEntry, "kind"> & { readonly kind: CodeEntry["kind"] | "same" };

/** What stands before an entry's bytes. Throws {@link SnapshotError} for a size that tar cannot tell. */
export function tarHeaders(entry: TarEntry): readonly Buffer[] {
  const { path, kind, content, size } = entry;
  if (size > MOST_BYTES) throw new SnapshotError(`\`${path}\` is too large for a tar file`);
  const hasBytes = kind === "file" || kind === "executable";
  const link = hasBytes ? "" : content;
  const records = [
    ...(isPlain(path) ? [] : [paxRecord("path", path)]),
    ...(isPlain(link) ? [] : [paxRecord("linkpath", link)]),
  ];
  const mode = kind === "file" ? 0o644 : kind === "executable" ? 0o755 : 0o777;
  const type = hasBytes ? "0" : kind === "link" ? "2" : "1";
  const own = header({ path, link, mode, type, size: hasBytes ? size : 0 });
  if (records.length === 0) return [own];
  const data = Buffer.concat(records);
  const extended = header({ path: "pax", link: "", mode: 0o644, type: "x", size: data.length });
  return [extended, data, tarPadding(data.length), own];
}

/** Whether every tar reads this name from a plain header. */
const isPlain = (name: string): boolean =>
  Buffer.byteLength(name) <= NAME_BYTES && /^[\x20-\x7e]*$/.test(name);

/** `LENGTH KEY=VALUE\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length > length) length += 1;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

interface Header {
  readonly path: string;
  readonly link: string;
  readonly mode: number;
  readonly type: string;
  readonly size: number;
}

function header({ path, link, mode, type, size }: Header): Buffer {
  const block = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, width: number): void => {
    block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "latin1");
  };
  Buffer.from(path).copy(block, 0, 0, NAME_BYTES);
  octal(mode, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(TIME, 136, 12);
  block.fill(" ", 148, 156);
  block.write(type, 156, "latin1");
  Buffer.from(link).copy(block, 157, 0, NAME_BYTES);
  block.write("ustar\x0000", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** What stands after so many bytes of an entry. */
export const tarPadding = (size: number): Buffer => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
