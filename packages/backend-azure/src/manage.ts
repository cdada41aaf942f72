/** What `flow azure` does by hand: pools and their nodes, and the files of attempts. */
import { type BackendContext, type CleanedUp, err, ok, type Result } from "@flow/core";
import { type FoundFile, FoundFiles, type Wanted } from "./attempt/found-files.ts";
import type { Foundation } from "./backend.ts";
import { foundation } from "./foundation.ts";
import { idPrefix, projectName } from "./naming.ts";
import type { AzureOptions } from "./options.ts";
import type { NodeRow, PoolRow } from "./service/batch-port.ts";
import { explainError } from "./service/explain.ts";
import { type Nodes, poolSpec } from "./translate/pool.ts";

export type { FoundFile, Wanted } from "./attempt/found-files.ts";
export type { NodeRow, PoolRow } from "./service/batch-port.ts";

export interface NewPool {
  readonly id: string;
  readonly vmSize: string | undefined;
  readonly nodes: number;
  readonly low: boolean;
  readonly slots: number | undefined;
  /** Container images; none: a pool without containers. */
  readonly images: readonly string[];
}

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
  /** Files of an attempt: on its node while it runs, on the state mount, on this machine when they have come back. */
  files(wanted: Wanted): Promise<Result<readonly FoundFile[], string>>;
  /** Hands out one of them piece by piece. */
  readFile(
    wanted: Wanted,
    path: string,
    write: (piece: Uint8Array) => Promise<void>,
  ): Promise<Result<void, string>>;
  /** Removes all that flow made for this project, and that none of these runs uses. */
  collect(runs: readonly string[]): Promise<Result<CleanedUp, string>>;
  /** Whether a pool was made by flow for this project. */
  isOurs(pool: PoolRow): boolean;
}

export function openAccount(context: BackendContext<AzureOptions>): Result<Account, string> {
  const made = foundation(context);
  if (!made.ok) return made;
  const { batch, retry } = made.value;
  const project = projectName(context.root);
  const found = new FoundFiles(project, context.options, made.value);
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
    files: (wanted) => attempted(() => found.list(wanted)),
    readFile: (wanted, path, write) => attempted(() => found.read(wanted, path, write)),
    collect: (runs) => attempted(() => made.value.cleanUp.everythingThere(runs)),
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
