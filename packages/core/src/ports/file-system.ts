// The file system as a port. Metadata calls are synchronous: on a local disk they take microseconds,
// and the order in which state is written is what makes it safe. Content of unknown size is hashed
// asynchronously. Paths are absolute.

/** SHA-256 in hex. */
export type Digest = string;

/**
 * What tells a changed file from an unchanged one without reading it: mtime (ns), size, inode and
 * ctime (ns) as one opaque text. Equal text: same content, unless the file was changed within the
 * clock tick of the signature (see `racy`).
 */
type Signature = string;

export interface FileStat {
  readonly kind: "file" | "directory" | "link" | "other";
  readonly size: number;
  readonly signature: Signature;
  /** Unix nanoseconds of the younger of mtime and ctime. */
  readonly changedNs: bigint;
  /** Nanoseconds; what `check: mtime` compares. */
  readonly mtimeNs: bigint;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: "file" | "directory" | "link" | "other";
}

export interface WriteOptions {
  /** Fail (return false) when the file exists. */
  readonly exclusive?: boolean;
  /** Reach the disk before returning. */
  readonly sync?: boolean;
  readonly mode?: number;
}

export interface FileSystem {
  /** Follows links. Undefined when there is nothing. */
  stat(path: string): FileStat | undefined;
  lstat(path: string): FileStat | undefined;
  /** Undefined when there is no such file. */
  read(path: string): Uint8Array | undefined;
  /**
   * At most `length` bytes from `offset`; empty at the end, undefined when there is no such file. They
   * may lie in `space`, which is at least that long, and hold until it is used again.
   */
  readPart(
    path: string,
    offset: number,
    length: number,
    space?: Uint8Array,
  ): Uint8Array | undefined;
  /** Writes whole or throws, never short; false only with `exclusive` when the file exists. */
  write(path: string, data: string | Uint8Array, options?: WriteOptions): boolean;
  /** Temp file beside it, synced, then renamed over it. Pieces are written as they come. */
  replace(path: string, data: string | Uint8Array | Iterable<string>): void;
  /**
   * Resolves when what was written to these files, and the entries of these folders, would survive a loss
   * of power.
   */
  sync(paths: readonly string[]): Promise<void>;
  /** In byte order of names; undefined when there is no such directory. */
  list(path: string): readonly DirectoryEntry[] | undefined;
  /** Makes the directory and its parents; false when it exists. @default mode 0777 less the umask */
  makeDirectory(path: string, mode?: number): boolean;
  rename(from: string, to: string): void;
  /** Removes a file or link; false when there was none. Never follows links. */
  remove(path: string): boolean;
  /** Removes an empty directory; false when it is missing or not empty. */
  removeDirectory(path: string): boolean;
  /** Removes whatever is there, directories with all they hold. Never follows links. */
  removeTree(path: string): void;
  /**
   * Creates a link holding `text`; false when the path exists. Atomic, also against other processes.
   * `like` is a link that holds the same text: where it can, the new one is another name of it.
   */
  link(path: string, text: string, like?: string): boolean;
  /** The text of a link; undefined when there is none. */
  readLink(path: string): string | undefined;
  /** SHA-256 of a file's content. Undefined when it vanished. */
  hash(path: string): Promise<Digest | undefined>;
}
