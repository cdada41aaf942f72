// What flow needs of one container of blob storage.

/** What a link allows, as the service abbreviates it: read, create, write, list. */
export type Permissions = "r" | "cw" | "rcw" | "racwl" | "racwdl";

interface BlobRow {
  readonly name: string;
  readonly bytes: number;
  /** Changes with the content. */
  readonly tag: string;
}

/** Calls reject with a ServiceError when the service does not do them; nothing is retried here. */
export interface BlobStore {
  readonly account: string;
  /** With the folder in it, where that is all there is of it. */
  readonly container: string;
  /** A blob's name in the whole container. */
  path(name: string): string;
  /** Makes the container; false when there was one. */
  create(): Promise<boolean>;
  exists(name: string): Promise<boolean>;
  /** Writes a blob unless there is one of that name; false when there was. */
  putNew(name: string, content: Uint8Array): Promise<boolean>;
  /** The same for a file of this machine of any size. */
  putNewFile(name: string, path: string): Promise<boolean>;
  /** Writes a blob, over one that is there. */
  put(name: string, content: Uint8Array): Promise<void>;
  /** Writes a file of this machine over what is there, and keeps its digest with it. */
  putFile(name: string, path: string, digest: string): Promise<void>;
  /** The digest that was kept with a blob; undefined without one. */
  digest(name: string): Promise<string | undefined>;
  /** Undefined when there is none. */
  get(name: string): Promise<Uint8Array | undefined>;
  /** Writes the blob to a file of this machine; false when there is no blob. */
  download(name: string, path: string): Promise<boolean>;
  list(prefix: string): Promise<readonly BlobRow[]>;
  remove(names: readonly string[]): Promise<void>;
  /** Removes everything that the store can see. */
  removeContainer(): Promise<void>;
  /** A link to one blob, or to the container where no name is given, good until then (Unix milliseconds). */
  link(name: string | undefined, permissions: Permissions, until: number): Promise<string>;
}
