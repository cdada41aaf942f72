/**
 * The file systems that nodes mount. A blob container becomes a directory that is kept equal to the
 * container of a real blob server, in both directions; file shares and NFS exports are directories of the
 * simulator that every node sees.
 */
import { createHash } from "node:crypto";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import type { BatchServiceModels as Models } from "@azure/batch";
import { ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { type FuseMount, mountContainer } from "./fuse.ts";

/** Where the blob service of a storage account answers, by account name. */
export type BlobEndpoints = Readonly<Record<string, string>>;

const SYNC_MS = 100;

/** What a node's agent does with the mounts of its pool. */
export interface Mounts {
  /** Takes away what is mounted below a node's directory, which is about to go. */
  detach(directory: string): void;
  /** Makes everything of the configuration visible below a node's `fsmounts`. Rejects if it cannot. */
  attach(mounts: readonly Models.MountConfiguration[], directory: string): Promise<void>;
  /** Brings directories and containers together; resolves once both hold the same. */
  sync(): Promise<void>;
  /** The simulator's directory of a file share or export, by its address. */
  shareDirectory(address: string): string;
  close(): Promise<void>;
}

/** Mounts below a directory of the simulator. */
export function openMounts(root: string, endpoints: BlobEndpoints, throughKernel: boolean): Mounts {
  const containers = new Map<string, Container>();
  const kernel = new Set<FuseMount>();
  let queue: Promise<void> = Promise.resolve();
  const sync = (): Promise<void> => {
    const done = queue.then(async () => {
      for (const container of containers.values()) await syncContainer(container);
    });
    queue = done.catch(() => undefined);
    return done;
  };
  const timer = setInterval(() => {
    if (containers.size > 0) void sync().catch(() => undefined);
  }, SYNC_MS);
  const shareDirectory = (address: string): string => {
    const name = createHash("sha256").update(address).digest("hex").slice(0, 16);
    const path = join(root, "shares", name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  return {
    shareDirectory,
    sync,
    detach(directory) {
      for (const mount of kernel) {
        if (!mount.directory.startsWith(`${directory}/`)) continue;
        mount.kill();
        kernel.delete(mount);
      }
    },
    async attach(mounts, directory) {
      for (const mount of mounts) {
        const blob = mount.azureBlobFileSystemConfiguration;
        if (blob !== undefined && throughKernel) {
          const at = join(directory, blob.relativeMountPath);
          kernel.add(await mountContainer(blob, endpointOf(blob, endpoints), at));
          continue;
        }
        const share = addressOf(mount);
        const target =
          blob === undefined
            ? shareDirectory(share.address)
            : container(blob, endpoints, containers, root);
        const link = join(directory, blob?.relativeMountPath ?? share.path);
        mkdirSync(dirname(link), { recursive: true });
        symlinkSync(target, link);
      }
      if (mounts.some(({ azureBlobFileSystemConfiguration }) => azureBlobFileSystemConfiguration))
        await sync();
    },
    async close() {
      clearInterval(timer);
      for (const mount of kernel) mount.kill();
      await sync().catch(() => undefined);
    },
  };
}

function addressOf(mount: Models.MountConfiguration): { address: string; path: string } {
  const { azureFileShareConfiguration: files, nfsMountConfiguration: nfs } = mount;
  const cifs = mount.cifsMountConfiguration;
  if (files !== undefined) return { address: files.azureFileUrl, path: files.relativeMountPath };
  if (nfs !== undefined) return { address: nfs.source, path: nfs.relativeMountPath };
  if (cifs !== undefined) return { address: cifs.source, path: cifs.relativeMountPath };
  return { address: "", path: "" };
}

function endpointOf(
  mount: Models.AzureBlobFileSystemConfiguration,
  endpoints: BlobEndpoints,
): string {
  const endpoint = endpoints[mount.accountName];
  if (endpoint === undefined) throw new Error(`no storage account \`${mount.accountName}\``);
  return endpoint;
}

interface Container {
  readonly client: ContainerClient;
  readonly directory: string;
  /** What both sides held after the last sync: name to entity tag and local stamp. */
  readonly known: Map<string, { readonly eTag: string; readonly stamp: string }>;
}

function container(
  mount: Models.AzureBlobFileSystemConfiguration,
  endpoints: BlobEndpoints,
  containers: Map<string, Container>,
  root: string,
): string {
  const key = `${mount.accountName}/${mount.containerName}`;
  const endpoint = endpointOf(mount, endpoints);
  const url = `${endpoint}/${mount.containerName}`;
  const client =
    mount.sasKey === undefined
      ? new ContainerClient(
          url,
          new StorageSharedKeyCredential(mount.accountName, mount.accountKey ?? ""),
        )
      : new ContainerClient(`${url}?${mount.sasKey.replace(/^\?/, "")}`);
  const old = containers.get(key);
  const directory = join(root, "containers", mount.accountName, mount.containerName);
  mkdirSync(directory, { recursive: true });
  containers.set(key, { client, directory, known: old?.known ?? new Map() });
  return directory;
}

/** What was written here goes first, as a file system would have sent it when it was closed. */
async function syncContainer({ client, directory, known }: Container): Promise<void> {
  await pushChanges({ client, directory, known });
  const remote = new Map<string, string>();
  for await (const { name, properties } of client.listBlobsFlat())
    remote.set(name, bare(properties.etag));
  for (const [name, eTag] of remote) {
    if (known.get(name)?.eTag === eTag) continue;
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    const { readableStreamBody, lastModified } = await client.getBlobClient(name).download();
    const chunks: Buffer[] = [];
    for await (const chunk of readableStreamBody ?? []) chunks.push(Buffer.from(chunk));
    writeFileSync(path, Buffer.concat(chunks));
    if (lastModified !== undefined) utimesSync(path, lastModified, lastModified);
    known.set(name, { eTag, stamp: stampOf(path) ?? "" });
  }
  for (const name of known.keys()) {
    if (remote.has(name)) continue;
    rmSync(join(directory, name), { force: true });
    known.delete(name);
  }
}

/** Lists give entity tags without quotes, answers with them. */
const bare = (eTag: string | undefined): string => (eTag ?? "").replaceAll('"', "");

async function pushChanges({ client, directory, known }: Container): Promise<void> {
  const local = new Set(filesBelow(directory).map((path) => relative(directory, path)));
  for (const name of local) {
    const path = join(directory, name);
    const stamp = stampOf(path);
    if (stamp === undefined || known.get(name)?.stamp === stamp) continue;
    const data = contentOf(path);
    if (data === undefined) continue;
    const { etag } = await client.getBlockBlobClient(name).uploadData(data);
    known.set(name, { eTag: bare(etag), stamp });
  }
  for (const name of known.keys()) {
    if (local.has(name)) continue;
    await client.getBlobClient(name).deleteIfExists();
    known.delete(name);
  }
}

/** Undefined when the file has gone meanwhile. */
function contentOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

function stampOf(path: string): string | undefined {
  try {
    const { size, mtimeMs, ino } = statSync(path);
    return `${size} ${mtimeMs} ${ino}`;
  } catch {
    return undefined;
  }
}

function filesBelow(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : [];
  });
}
