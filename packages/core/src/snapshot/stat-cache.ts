// What is remembered between captures, so that an unchanged tree costs git's own look at it and
// little more. Two files in `.flow/cache`: a small one that vouches for the tree as a whole, and
// the list of files, read only when something has changed. Losing them costs reading.

import type { FileSystem } from "../ports/file-system.ts";
import type { CodeEntry, TreeId } from "./manifest.ts";

/** The tree as it was when `key` was true of the directory. */
export interface TreeMemory {
  /** "" while a file is too young to vouch for itself. */
  readonly key: string;
  readonly tree: TreeId;
  readonly files: number;
  readonly bytes: number;
  /** Tracked files whose bytes are not those git keeps (filters, line ends): looked at each time. */
  readonly converted: readonly string[];
}

/** A file with the stat signature that stands for it; "" when it cannot. */
export interface KnownFile extends CodeEntry {
  readonly signature: string;
  readonly converted: boolean;
}

export interface FilesMemory {
  readonly tree: TreeId;
  readonly files: ReadonlyMap<string, KnownFile>;
}

const STATE_MODE = 0o700;

type Line = [string, CodeEntry["kind"], number, string, string, 0 | 1];

export class StatCache {
  readonly #files: FileSystem;
  readonly #directory: string;

  /** `directory`: absolute; made when there is something to write. */
  constructor(files: FileSystem, directory: string) {
    this.#files = files;
    this.#directory = directory;
  }

  tree(): TreeMemory | undefined {
    return this.#read<TreeMemory>("code-tree");
  }

  files(): FilesMemory | undefined {
    const read = this.#read<{ tree: TreeId; files: Line[] }>("code-files");
    if (read === undefined || !Array.isArray(read.files)) return undefined;
    const files = read.files.map(
      ([path, kind, size, content, signature, converted]): [string, KnownFile] => [
        path,
        { path, kind, size, content, signature, converted: converted === 1 },
      ],
    );
    return { tree: read.tree, files: new Map(files) };
  }

  save(memory: TreeMemory, files: readonly KnownFile[]): void {
    const lines = files.map(
      ({ path, kind, size, content, signature, converted }): Line => [
        ...([path, kind, size, content, signature] as const),
        converted ? 1 : 0,
      ],
    );
    this.#files.makeDirectory(this.#directory, STATE_MODE);
    this.#write("code-files", { tree: memory.tree, files: lines });
    this.#write("code-tree", memory);
  }

  #read<T>(name: string): T | undefined {
    const bytes = this.#files.read(`${this.#directory}/${name}`);
    try {
      return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString()) as T);
    } catch {
      return undefined;
    }
  }

  #write(name: string, value: object): void {
    const temporary = `${this.#directory}/${name}.${process.pid}.tmp`;
    this.#files.write(temporary, JSON.stringify(value));
    this.#files.rename(temporary, `${this.#directory}/${name}`);
  }
}
