// What is sent to a cluster that does not see the project: contents by their digest, each once; trees
// of names for them, one for all jobs that need the same; and what belongs to one job alone.

import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { relative } from "node:path";
import {
  type Job,
  listFiles,
  nodeFileSystem,
  type ObjectStore,
  readObject,
  readTree,
  SnapshotError,
  TAR_END,
  type TarEntry,
  tarHeaders,
  tarPadding,
  type TreeId,
} from "@flow/core";

/** Bytes that are read when they are sent. */
export interface Content {
  readonly size: number;
  read(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** A name in a tree for a stored content, or a link. */
interface Named {
  readonly path: string;
  readonly stored?: string;
  readonly leadsTo?: string;
}

export interface Tree {
  readonly id: string;
  readonly names: readonly Named[];
}

/** Digests of files by path, good while the file has the same signature. */
export type Digests = Map<string, { readonly signature: string; readonly digest: string }>;

/** Contents and trees, as they are gathered for one delivery. */
export class Cargo {
  readonly contents: Map<string, Content> = new Map();
  readonly trees: Map<string, Tree> = new Map();
  readonly #digests: Digests;
  readonly #known = new Map<string, Tree>();

  constructor(digests: Digests) {
    this.#digests = digests;
  }

  /** The tree of a job: the code, and over it the inputs as they are now. */
  async treeOf(job: Job, code: TreeId | undefined, store: ObjectStore): Promise<Tree> {
    const shape = JSON.stringify([code, job.paths.root, job.inputs]);
    const known = this.#known.get(shape);
    if (known !== undefined) return known;
    const names = new Map<string, Named>();
    for (const { path, kind, size, content } of code === undefined ? [] : readTree(store, code)) {
      if (kind === "link") names.set(path, { path, leadsTo: content });
      else {
        const stored = this.#put(content, kind === "executable", size, () => [
          readObject(store, content),
        ]);
        names.set(path, { path, stored });
      }
    }
    for (const input of job.inputs) {
      if (input.startsWith("/")) continue;
      for (const path of filesAt(job.paths.root, input)) {
        names.set(path, { path, stored: await this.#file(`${job.paths.root}/${path}`) });
      }
    }
    const tree = this.#tree([...names.values()]);
    this.#known.set(shape, tree);
    return tree;
  }

  /** A folder of this machine as a tree with a name of its own. */
  async folder(id: string, directory: string): Promise<void> {
    const files = listFiles(directory, nodeFileSystem).map(async ({ path }) => ({
      path,
      stored: await this.#file(`${directory}/${path}`),
    }));
    this.trees.set(id, { id, names: await Promise.all(files) });
  }

  #tree(names: readonly Named[]): Tree {
    const sorted = names.toSorted((a, b) => (a.path < b.path ? -1 : 1));
    const id = createHash("sha256").update(JSON.stringify(sorted)).digest("hex").slice(0, 24);
    const tree = { id, names: sorted };
    this.trees.set(id, tree);
    return tree;
  }

  async #file(path: string): Promise<string> {
    const stat = nodeFileSystem.stat(path);
    if (stat === undefined) throw new SnapshotError(`\`${path}\` has gone`);
    const known = this.#digests.get(path);
    const digest =
      known?.signature === stat.signature ? known.digest : await nodeFileSystem.hash(path);
    if (digest === undefined) throw new SnapshotError(`\`${path}\` has gone`);
    this.#digests.set(path, { signature: stat.signature, digest });
    const isExecutable = (statSync(path).mode & 0o100) !== 0;
    return this.#put(digest, isExecutable, stat.size, () => createReadStream(path));
  }

  /** Names of one content share its mode, so a program and a text that are equal are two. */
  #put(digest: string, isExecutable: boolean, size: number, read: Content["read"]): string {
    const name = isExecutable ? `${digest}x` : digest;
    if (!this.contents.has(name)) this.contents.set(name, { size, read });
    return name;
  }
}

/** The files a path stands for, relative to the root; the empty path is the root itself. */
export function filesAt(root: string, path: string): readonly string[] {
  const plain = path.replace(/\/+$/, "");
  const { stat } = nodeFileSystem;
  if (stat(`${root}/${plain}`)?.kind === "file") return [plain];
  return listFiles(`${root}/${plain}`, nodeFileSystem)
    .map((file) => (plain === "" ? file.path : `${plain}/${file.path}`))
    .filter((file) => stat(`${root}/${file}`)?.kind === "file");
}

/** A file of a tar archive: bytes, or another name for some. */
export type Item =
  | { readonly path: string; readonly content: Content }
  | { readonly path: string; readonly same: string }
  | { readonly path: string; readonly leadsTo: string };

export const bytes = (text: string | Buffer): Content => ({
  size: Buffer.byteLength(text),
  read: () => [Buffer.from(text)],
});

/** A file that may be large; it must not change while it is sent. */
export const largeFile = (path: string): Content => ({
  size: statSync(path).size,
  read: () => createReadStream(path),
});

/** Names of a tree for contents that lie in `files/` beside it. */
export const treeItems = ({ names }: Tree, under: string): readonly Item[] =>
  names.map(({ path, stored, leadsTo }) =>
    stored === undefined
      ? { path: `${under}/${path}`, leadsTo: leadsTo ?? "" }
      : { path: `${under}/${path}`, same: `files/${stored}` },
  );

/** Rejects when a file is no longer as long as it was said to be. */
export async function* tarOfItems(items: Iterable<Item>): AsyncGenerator<Buffer> {
  for (const item of items) {
    if (!("content" in item)) {
      yield* tarHeaders(nameEntry(item));
      continue;
    }
    const { path, content } = item;
    yield* tarHeaders({ path, kind: "file", size: content.size, content: "" });
    let sent = 0;
    for await (const chunk of content.read()) {
      sent += chunk.length;
      if (sent <= content.size) yield Buffer.from(chunk);
    }
    if (sent !== content.size) throw new Error(`\`${path}\` changed while it was sent`);
    yield tarPadding(sent);
  }
  yield TAR_END;
}

const nameEntry = (item: Exclude<Item, { readonly content: Content }>): TarEntry =>
  "same" in item
    ? { path: item.path, kind: "same", size: 0, content: item.same }
    : { path: item.path, kind: "link", size: 0, content: item.leadsTo };

/** What a directory holds, in one text: equal texts, equal files. */
export const listingOf = (directory: string): string =>
  JSON.stringify(
    listFiles(directory, nodeFileSystem).map(({ path, signature }) => [path, signature]),
  );

/** A path below the root as one name of harmless letters. */
export function nameOf(root: string, path: string): string {
  const below = relative(root, path);
  const digest = createHash("sha256").update(below).digest("hex").slice(0, 8);
  return `${below.replaceAll(/[^\w-]+/g, "_").replace(/^_/, "")}-${digest}`;
}
