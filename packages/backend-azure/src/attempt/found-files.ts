// The files of an attempt, wherever they lie now: on its node while it runs, on the state mount, on this
// machine once they have come back.

import { createReadStream, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type AttemptKey, nodeClock } from "@flow/core";
import type { Foundation } from "../backend.ts";
import { taskId } from "../naming.ts";
import type { AzureOptions } from "../options.ts";
import { inScratch } from "../storage/archives.ts";
import type { BlobStore } from "../storage/blob-store.ts";
import { type Membership, readExit, readMembership } from "./files.ts";
import { mountedFolder } from "./mounted-checkpoint.ts";

/** A file of an attempt, where it lies now. */
export interface FoundFile {
  /** On a node below the task's directory (`wd/out/…`), else below the attempt's own (`out/…`, `project/…`). */
  readonly path: string;
  readonly bytes: number;
  /** A link that ends in an hour; absent for files on a node or on this machine. */
  readonly url: string | undefined;
  /** Absolute path on this machine; absent elsewhere. */
  readonly file: string | undefined;
}

/** Which attempt, and the folders of the project (relative to its root) that are its named outputs. */
export interface Wanted {
  readonly key: AttemptKey;
  /** Its directory on this machine. */
  readonly attempt: string;
  readonly outputs: readonly string[];
}

const LINK_MS = 3_600_000;
const RANGE_BYTES = 4 << 20;

export class FoundFiles {
  readonly #project: string;
  readonly #options: AzureOptions;
  readonly #made: Foundation;

  constructor(project: string, options: AzureOptions, made: Foundation) {
    this.#project = project;
    this.#options = options;
    this.#made = made;
  }

  /** Rejects with a sentence. */
  async list(wanted: Wanted): Promise<readonly FoundFile[]> {
    const membership = memberOf(wanted);
    const mounted = await this.#onMount(wanted.key);
    if (readExit(wanted.attempt) !== undefined) return [...mounted, ...here(membership, wanted)];
    const { batch, retry } = this.#made;
    const there = await retry.call(() => batch.files(membership.job, taskId(wanted.key)));
    const onNode = there.map(({ name: path, bytes }) => ({ path, bytes, ...NOWHERE }));
    return [...mounted, ...onNode];
  }

  /** Hands out a file piece by piece, whatever its size. Rejects with a sentence. */
  async read(
    wanted: Wanted,
    path: string,
    write: (piece: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const membership = memberOf(wanted);
    const onMount = (await this.#onMount(wanted.key)).some((each) => each.path === path);
    if (onMount) return this.#readMounted(wanted.key, path, write);
    if (readExit(wanted.attempt) === undefined)
      return this.#readOnNode(membership.job, wanted.key, path, write);
    const found = here(membership, wanted).find((each) => each.path === path);
    if (found?.file === undefined)
      throw new Error(`there is no file ${path} of it; \`flow azure files\` lists those that are`);
    for await (const piece of createReadStream(found.file)) await write(piece as Buffer);
  }

  /** The state mount's container with the folder of a task; undefined where it is none of the account. */
  #mount(key: AttemptKey): { readonly store: BlobStore; readonly folder: string } | undefined {
    const { state, mounts, storage } = this.#options;
    const mount = mounts[state ?? ""];
    if (mount === undefined || !("blob" in mount)) return undefined;
    if ((mount.account ?? storage.account) !== storage.account) return undefined;
    const store = this.#made.openContainer(mount.blob);
    return { store, folder: `${mountedFolder(this.#project, key)}/` };
  }

  async #onMount(key: AttemptKey): Promise<readonly FoundFile[]> {
    const mount = this.#mount(key);
    if (mount === undefined) return [];
    const { store, folder } = mount;
    const blobs = await this.#made.retry.call(() => store.list(folder));
    const until = nodeClock.wall() + LINK_MS;
    return Promise.all(
      blobs.map(async ({ name, bytes }) => ({
        path: name.slice(folder.length),
        bytes,
        url: await store.link(name, "r", until),
        file: undefined,
      })),
    );
  }

  async #readMounted(
    key: AttemptKey,
    path: string,
    write: (piece: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const mount = this.#mount(key);
    if (mount === undefined) return;
    await inScratch(`${this.#made.folder}/tmp`, async (scratch) => {
      const copy = join(scratch, "file");
      await this.#made.retry.call(() => mount.store.download(`${mount.folder}${path}`, copy));
      for await (const piece of createReadStream(copy)) await write(piece as Buffer);
    });
  }

  async #readOnNode(
    job: string,
    key: AttemptKey,
    path: string,
    write: (piece: Uint8Array) => Promise<void>,
  ): Promise<void> {
    const { batch, retry } = this.#made;
    const id = taskId(key);
    const size = await retry.call(() => batch.fileSize(job, id, path));
    if (size === undefined) throw new Error(`there is no file ${path} on its node`);
    for (let from = 0; from < size; ) {
      const to = Math.min(size, from + RANGE_BYTES);
      const piece = await retry.call(() => batch.readFile(job, id, path, from, to));
      if (piece === undefined || piece.byteLength === 0)
        throw new Error(`its node no longer gives ${path}: ${from} of ${size} bytes came`);
      await write(piece);
      from += piece.byteLength;
    }
  }
}

const NOWHERE = { url: undefined, file: undefined };

function memberOf({ attempt }: Wanted): Membership {
  const membership = readMembership(attempt);
  if (membership === undefined) throw new Error("it has not been sent to Azure Batch");
  return membership;
}

/** What has come back: the output directory, and the outputs that lie in the project. */
function here({ output, root, mounted }: Membership, { outputs }: Wanted): readonly FoundFile[] {
  const inProject = outputs.flatMap((path) => below(join(root, path), `project/${trimmed(path)}`));
  return mounted ? inProject : [...below(output, "out"), ...inProject];
}

const trimmed = (path: string): string => path.replace(/^(\.\/)+|\/+$/g, "");

function below(folder: string, path: string): readonly FoundFile[] {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (!stat.isDirectory()) return [{ path, bytes: stat.size, url: undefined, file: folder }];
  return readdirSync(folder)
    .sort()
    .flatMap((name) => below(join(folder, name), `${path}/${name}`));
}
