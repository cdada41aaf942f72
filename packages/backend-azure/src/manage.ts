/** What `flow azure` does by hand: pools and their nodes, and the files of attempts. */
import { type AttemptKey, type BackendContext, err, nodeClock, ok, type Result } from "@flow/core";
import { readExit, readMembership } from "./attempt/files.ts";
import { mountedFolder } from "./attempt/mounted-checkpoint.ts";
import type { Foundation } from "./backend.ts";
import { foundation } from "./foundation.ts";
import { idPrefix, projectName, taskId } from "./naming.ts";
import type { AzureOptions } from "./options.ts";
import type { NodeRow, PoolRow } from "./service/batch-port.ts";
import { explainError } from "./service/explain.ts";
import { type Nodes, poolSpec } from "./translate/pool.ts";

export type { NodeRow, PoolRow } from "./service/batch-port.ts";

/** A file of an attempt, where it lies now. */
export interface FoundFile {
  readonly path: string;
  readonly bytes: number;
  /** A link that ends in an hour; absent for files on a node. */
  readonly url: string | undefined;
}

export interface NewPool {
  readonly id: string;
  readonly vmSize: string | undefined;
  readonly nodes: number;
  readonly low: boolean;
  readonly slots: number | undefined;
  /** Container images; none: a pool without containers. */
  readonly images: readonly string[];
}

const LINK_MS = 3_600_000;

/** Every call fails with a sentence. */
export interface Account {
  pools(): Promise<Result<readonly PoolRow[], string>>;
  /** A pool that stays until it is deleted. */
  createPool(pool: NewPool): Promise<Result<void, string>>;
  /** Fixed numbers of nodes from now on. */
  resizePool(id: string, dedicated: number, low: number): Promise<Result<void, string>>;
  deletePool(id: string): Promise<Result<void, string>>;
  nodes(pool: string): Promise<Result<readonly NodeRow[], string>>;
  /** What the start command printed on a node; undefined when it left nothing. */
  startOutput(pool: string, node: string): Promise<Result<string | undefined, string>>;
  /** Files of an attempt, given by its directory: on its node while it runs, on the state mount in any case. */
  files(key: AttemptKey, attempt: string): Promise<Result<readonly FoundFile[], string>>;
  /** One of the files on its node. */
  readFile(key: AttemptKey, attempt: string, path: string): Promise<Result<Uint8Array, string>>;
  /** Whether a pool was made by flow for this project. */
  isOurs(pool: PoolRow): boolean;
}

export function openAccount(context: BackendContext<AzureOptions>): Result<Account, string> {
  const made = foundation(context);
  if (!made.ok) return made;
  const { batch, retry } = made.value;
  const project = projectName(context.root);
  const call = <T>(request: () => Promise<T>) => attempted(() => retry.call(request));
  return ok({
    pools: () => call(() => batch.pools()),
    createPool: (pool) => attempted(() => createPool(pool, context, made.value)),
    resizePool: (id, dedicated, low) => attempted(() => resize(id, dedicated, low, made.value)),
    deletePool: (id) => call(() => batch.deletePool(id)),
    nodes: (pool) => call(() => batch.nodes(pool)),
    startOutput: (pool, node) =>
      attempted(async () => {
        const read = (name: string) =>
          retry.call(() => batch.nodeFile(pool, node, `startup/${name}.txt`));
        const parts = [await read("stdout"), await read("stderr")];
        const text = parts.map((part) => Buffer.from(part ?? []).toString("utf8")).join("");
        return text === "" ? undefined : text;
      }),
    files: (key, attempt) =>
      attempted(() => files(key, attempt, project, context.options, made.value)),
    readFile: (key, attempt, path) => attempted(() => readFile(key, attempt, path, made.value)),
    isOurs: ({ id }) => id.startsWith(idPrefix(project)),
  });
}

async function attempted<T>(work: () => Promise<T>): Promise<Result<T, string>> {
  try {
    return ok(await work());
  } catch (error) {
    return err(explainError(error));
  }
}

async function createPool(
  { id, vmSize = "", nodes: count, low, slots = 1, images }: NewPool,
  { options, root, ports }: BackendContext<AzureOptions>,
  { batch, retry, jobs }: Foundation,
): Promise<void> {
  const nodes: Nodes = {
    vmSize: vmSize === "" ? (options.vm_size ?? "") : vmSize,
    priority: low ? "low" : "dedicated",
    slots,
    most: count,
    images,
    together: false,
  };
  if (nodes.vmSize === "") throw new Error("a pool needs the size of its nodes: --vm-size SIZE");
  const never = new AbortController().signal;
  const request = await jobs.poolRequest(nodes, count, undefined, never);
  const spec = poolSpec({ ...request, options: { ...options, scale: "fixed" } });
  await retry.call(() => batch.addPool({ id, ...spec }));
  ports.log.debug(`made the pool ${id} for ${projectName(root)}`);
}

/** A formula would undo it. */
async function resize(
  id: string,
  dedicated: number,
  low: number,
  { batch, retry }: Foundation,
): Promise<void> {
  const pool = await retry.call(() => batch.pool(id));
  if (pool === undefined) throw new Error(`there is no pool ${id}`);
  if (pool.autoScale) await retry.call(() => batch.disableAutoScale(id));
  await retry.call(() => batch.resizePool(id, dedicated, low));
}

async function files(
  key: AttemptKey,
  attempt: string,
  project: string,
  options: AzureOptions,
  made: Foundation,
): Promise<readonly FoundFile[]> {
  const membership = readMembership(attempt);
  if (membership === undefined) throw new Error("it has not been sent to Azure Batch");
  const mounted = await mountedFiles(key, project, options, made);
  if (readExit(attempt) !== undefined) return mounted;
  const { batch, retry } = made;
  const here = await retry.call(() => batch.files(membership.job, taskId(key)));
  return [...mounted, ...here.map(({ name, bytes }) => ({ path: name, bytes, url: undefined }))];
}

/** Files of the task on the state mount, with links, where the mount is a container of the account. */
async function mountedFiles(
  key: AttemptKey,
  project: string,
  { state, mounts, storage }: AzureOptions,
  { openContainer, retry }: Foundation,
): Promise<readonly FoundFile[]> {
  const mount = mounts[state ?? ""];
  if (mount === undefined || !("blob" in mount)) return [];
  if ((mount.account ?? storage.account) !== storage.account) return [];
  const store = openContainer(mount.blob);
  const folder = `${mountedFolder(project, key)}/`;
  const blobs = await retry.call(() => store.list(folder));
  const until = nodeClock.wall() + LINK_MS;
  return Promise.all(
    blobs.map(async ({ name, bytes }) => ({
      path: name.slice(folder.length),
      bytes,
      url: await store.link(name, "r", until),
    })),
  );
}

async function readFile(
  key: AttemptKey,
  attempt: string,
  path: string,
  { batch, retry }: Foundation,
): Promise<Uint8Array> {
  const membership = readMembership(attempt);
  if (membership === undefined) throw new Error("it has not been sent to Azure Batch");
  const id = taskId(key);
  const size = await retry.call(() => batch.fileSize(membership.job, id, path));
  if (size === undefined) throw new Error(`there is no file ${path} on its node`);
  const chunks: Uint8Array[] = [];
  for (let from = 0; from < size; ) {
    const to = Math.min(size, from + (4 << 20));
    const bytes = await retry.call(() => batch.readFile(membership.job, id, path, from, to));
    if (bytes === undefined || bytes.byteLength === 0) break;
    chunks.push(bytes);
    from += bytes.byteLength;
  }
  return Buffer.concat(chunks);
}
