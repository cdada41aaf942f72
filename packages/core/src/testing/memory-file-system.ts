// A file system in memory, with links and with signatures that change at every write.

import { createHash } from "node:crypto";
import type {
  Digest,
  DirectoryEntry,
  FileStat,
  FileSystem,
  WriteOptions,
} from "../ports/file-system.ts";

interface FileNode {
  readonly kind: "file";
  data: Uint8Array;
  readonly inode: number;
  changed: bigint;
}

interface DirectoryNode {
  readonly kind: "directory";
  readonly entries: Map<string, Node>;
  readonly inode: number;
  changed: bigint;
}

interface LinkNode {
  readonly kind: "link";
  readonly text: string;
  readonly inode: number;
  readonly changed: bigint;
}

type Node = FileNode | DirectoryNode | LinkNode;

/** A call that changes something. */
export type FileOperation =
  | "write"
  | "replace"
  | "makeDirectory"
  | "rename"
  | "remove"
  | "removeDirectory"
  | "removeTree"
  | "link";

export interface MemoryFileSystemOptions {
  /** Called before each change; what it throws is thrown instead of the change. */
  readonly before?: (operation: FileOperation, path: string) => void;
}

/** Nanoseconds between two changes, more than any clock tick that freshness worries about. */
const STEP_NS = 20_000_000n;

/** Links followed before a path counts as a loop. */
const MOST_LINKS = 40;

export class MemoryFileSystem implements FileSystem {
  readonly #before: ((operation: FileOperation, path: string) => void) | undefined;
  #root: DirectoryNode;
  #clock = 1_767_225_600_000_000_000n;
  #inodes = 0;

  constructor(options: MemoryFileSystemOptions = {}) {
    this.#before = options.before;
    this.#root = this.#directory();
  }

  stat(path: string): FileStat | undefined {
    return describe(this.#find(path, true));
  }

  lstat(path: string): FileStat | undefined {
    return describe(this.#find(path, false));
  }

  read(path: string): Uint8Array | undefined {
    const node = this.#find(path, true);
    if (node?.kind === "directory") throw failure("EISDIR", "read", path);
    return node?.kind === "file" ? Buffer.from(node.data) : undefined;
  }

  readPart(path: string, offset: number, length: number): Uint8Array | undefined {
    return this.read(path)?.subarray(offset, offset + length);
  }

  /** The file as text; undefined when there is none. */
  text(path: string): string | undefined {
    const data = this.read(path);
    return data === undefined ? undefined : Buffer.from(data).toString("utf8");
  }

  write(path: string, data: string | Uint8Array, options: WriteOptions = {}): boolean {
    this.#before?.("write", path);
    const known = this.#find(path, options.exclusive !== true);
    if (known !== undefined && options.exclusive === true) return false;
    this.#put(path, data);
    return true;
  }

  /** Adds to the end of a file, made if missing. */
  append(path: string, data: string): void {
    const before = this.read(path) ?? new Uint8Array();
    this.write(path, Buffer.concat([before, Buffer.from(data)]));
  }

  replace(path: string, data: string | Uint8Array | Iterable<string>): void {
    this.#before?.("replace", path);
    const isWhole = typeof data === "string" || data instanceof Uint8Array;
    const content = isWhole ? data : [...data].join("");
    const { parent, name } = this.#place(path, "open");
    parent.entries.delete(name);
    this.#put(path, content);
  }

  sync(_paths: readonly string[]): Promise<void> {
    return Promise.resolve();
  }

  list(path: string): readonly DirectoryEntry[] | undefined {
    const node = this.#find(path, true);
    if (node?.kind !== "directory") return undefined;
    return [...node.entries]
      .map(([name, { kind }]) => ({ name, kind }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  makeDirectory(path: string): boolean {
    this.#before?.("makeDirectory", path);
    let isNew = false;
    let made = "";
    for (const part of split(path)) {
      made = `${made}/${part}`;
      const node = this.#find(made, true);
      if (node?.kind === "directory") continue;
      if (node !== undefined) throw failure("EEXIST", "mkdir", path);
      const { parent, name } = this.#place(made, "mkdir");
      parent.entries.set(name, this.#directory());
      parent.changed = this.#tick();
      isNew = true;
    }
    return isNew;
  }

  rename(from: string, to: string): void {
    this.#before?.("rename", from);
    const source = this.#place(from, "rename");
    const node = source.parent.entries.get(source.name);
    if (node === undefined) throw failure("ENOENT", "rename", from);
    const target = this.#place(to, "rename");
    const old = target.parent.entries.get(target.name);
    if (old?.kind === "directory" && old.entries.size > 0) {
      throw failure("ENOTEMPTY", "rename", to);
    }
    source.parent.entries.delete(source.name);
    source.parent.changed = this.#tick();
    target.parent.entries.set(target.name, node);
    target.parent.changed = this.#tick();
  }

  remove(path: string): boolean {
    this.#before?.("remove", path);
    const node = this.#find(path, false);
    if (node === undefined) return false;
    if (node.kind === "directory") throw failure("EISDIR", "unlink", path);
    this.#drop(path);
    return true;
  }

  removeDirectory(path: string): boolean {
    this.#before?.("removeDirectory", path);
    const node = this.#find(path, false);
    if (node?.kind !== "directory" || node.entries.size > 0) return false;
    this.#drop(path);
    return true;
  }

  removeTree(path: string): void {
    this.#before?.("removeTree", path);
    if (this.#find(path, false) !== undefined) this.#drop(path);
  }

  link(path: string, text: string): boolean {
    this.#before?.("link", path);
    const { parent, name } = this.#place(path, "symlink");
    if (parent.entries.has(name)) return false;
    parent.entries.set(name, { kind: "link", text, inode: this.#inode(), changed: this.#tick() });
    parent.changed = this.#tick();
    return true;
  }

  readLink(path: string): string | undefined {
    const node = this.#find(path, false);
    return node?.kind === "link" ? node.text : undefined;
  }

  hash(path: string): Promise<Digest | undefined> {
    const node = this.#find(path, true);
    if (node?.kind !== "file") return Promise.resolve(undefined);
    return Promise.resolve(createHash("sha256").update(node.data).digest("hex"));
  }

  #put(path: string, data: string | Uint8Array): void {
    const content = typeof data === "string" ? Buffer.from(data) : Buffer.from(data);
    const known = this.#find(path, true);
    if (known?.kind === "directory") throw failure("EISDIR", "open", path);
    if (known?.kind === "file") {
      known.data = content;
      known.changed = this.#tick();
      return;
    }
    const { parent, name } = this.#place(path, "open");
    const inode = this.#inode();
    parent.entries.set(name, { kind: "file", data: content, inode, changed: this.#tick() });
    parent.changed = this.#tick();
  }

  #drop(path: string): void {
    const { parent, name } = this.#place(path, "unlink");
    parent.entries.delete(name);
    parent.changed = this.#tick();
  }

  /** The directory that holds, or would hold, the last part of a path. */
  #place(path: string, call: string): { parent: DirectoryNode; name: string } {
    const parts = split(path);
    const name = parts.pop();
    if (name === undefined) throw failure("EBUSY", call, path);
    const parent = this.#find(`/${parts.join("/")}`, true);
    if (parent === undefined) throw failure("ENOENT", call, path);
    if (parent.kind !== "directory") throw failure("ENOTDIR", call, path);
    return { parent, name };
  }

  #find(path: string, follow: boolean, links: number = 0): Node | undefined {
    const parts = split(path);
    let node: Node = this.#root;
    for (const [index, part] of parts.entries()) {
      if (node.kind !== "directory") return undefined;
      const next = node.entries.get(part);
      if (next === undefined) return undefined;
      const last = index === parts.length - 1;
      if (next.kind === "link" && (follow || !last)) {
        if (links >= MOST_LINKS) return undefined;
        const rest = parts.slice(index + 1).join("/");
        const base = `/${parts.slice(0, index).join("/")}`;
        const target = next.text.startsWith("/") ? next.text : `${base}/${next.text}`;
        return this.#find(`${target}/${rest}`, follow, links + 1);
      }
      node = next;
    }
    return node;
  }

  #directory(): DirectoryNode {
    return {
      kind: "directory",
      entries: new Map(),
      inode: this.#inode(),
      changed: this.#tick(),
    };
  }

  #inode(): number {
    this.#inodes += 1;
    return this.#inodes;
  }

  #tick(): bigint {
    this.#clock += STEP_NS;
    return this.#clock;
  }
}

/** Parts of an absolute path, with `.` and `..` resolved. */
function split(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts;
}

function describe(node: Node | undefined): FileStat | undefined {
  if (node === undefined) return undefined;
  const size = node.kind === "file" ? node.data.length : 0;
  return {
    kind: node.kind,
    size,
    signature: `${node.changed.toString(36)}.${size}.${node.inode}`,
    changedNs: node.changed,
    mtimeNs: node.changed,
  };
}

function failure(code: string, call: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${call} '${path}'`), { code, syscall: call, path });
}
