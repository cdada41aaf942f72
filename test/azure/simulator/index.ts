/**
 * A simulated Azure Batch account for tests: an HTTP server of this machine that speaks the data-plane
 * protocol, checks what it is sent, and really runs the tasks, as processes in directories of nodes.
 * What it takes from where is in `behaviours.ts`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  Account,
  type Allocation,
  type Delays,
  type Node,
  type NodeState,
  type Quotas,
} from "./account.ts";
import type { SimulatedClock } from "./clock.ts";
import { Faults } from "./faults.ts";
import { type BlobEndpoints, openMounts } from "./mounts.ts";
import { boot, wipe } from "./nodes.ts";
import { loadOpenApi, type OpenApi, specificationFolder } from "./openapi.ts";
import { settle } from "./scheduler.ts";
import { type Exchange, listen } from "./server.ts";
import { preempt, requeueTasksOn } from "./tasks.ts";
import { jobWire, nodeWire, poolWire, taskWire, type Wire } from "./wire.ts";

export interface SimulatorOptions {
  /** Blob services that nodes reach, by storage account name; needed for blob mounts only. */
  readonly blobEndpoints?: BlobEndpoints;
  /** Mounts containers with FUSE instead of keeping directories equal to them; needs root and rclone. */
  readonly throughKernel?: boolean;
  /** Milliseconds that allocation,boot, pool deletion and the end of a job take; 5 each unless said. */
  readonly delayMs?: number | Partial<Delays>;
  /** Limits of the account; generous unless said. */
  readonly quotas?: Partial<Quotas>;
  /** Variables that every process on a node gets besides those of Batch; `PATH` unless said. */
  readonly nodeEnv?: Readonly<Record<string, string>>;
  /** Keeps the disks of nodes that are gone below `directory`, for a test that looks for secrets. */
  readonly keepDisks?: boolean;
  /** Folder of the official data; that of `FLOW_AZURE_OPENAPI` unless said. */
  readonly openApi?: string;
}

/** Everything in the account, in the form of answers. */
interface AccountState {
  readonly pools: readonly (Wire & { readonly nodes: readonly Wire[] })[];
  readonly jobs: readonly (Wire & { readonly tasks: readonly Wire[] })[];
}

export interface BatchSimulator {
  /** `http://127.0.0.1:<port>`, what a client takes as its account URL. */
  readonly endpoint: string;
  readonly accountName: string;
  /** Base64. */
  readonly accountKey: string;
  /** Holds the directories of all nodes, and shares. */
  readonly directory: string;
  /** Its time; `skip` lets some pass at once. */
  readonly clock: SimulatedClock;
  /** Faults on the wire. */
  readonly faults: Faults;
  /** All requests so far with their answers, in order. */
  readonly exchanges: readonly Exchange[];
  /** What clients sent, or the simulator itself answered, against the specification. Tests may empty it. */
  readonly problems: string[];
  /** Limits of the account, to be changed while it runs. */
  readonly quotas: Quotas;
  setQuotas(quotas: Partial<Quotas>): void;
  /** Withholds nodes from allocation; an empty object gives all again. */
  setAllocation(allocation: Allocation): void;
  inspect(): AccountState;
  /** Takes a low-priority node away with everything on it. */
  preempt(nodeId: string): void;
  /** Brings a preempted node back under the same id, empty. */
  restore(nodeId: string): void;
  /** Puts a node into a state from outside, such as `unusable`; its tasks go back to the queue. */
  breakNode(nodeId: string, state: NodeState): void;
  /** The directory of an Azure file share or NFS export, by its address. */
  shareDirectory(address: string): string;
  /** Brings mounted containers and the blob server together. */
  syncMounts(): Promise<void>;
  /** Resolves with the first true value of `look`, which is asked again after every change. */
  until<T>(what: string, look: (state: AccountState) => T | undefined | false): Promise<T>;
  /** Ends every process and removes every file; rejects if anything broke the specification. */
  close(): Promise<void>;
}

const PATIENCE_MS = 60_000;
const QUOTAS: Quotas = {
  pools: 100,
  activeJobs: 300,
  dedicatedCores: 10_000,
  lowPriorityCores: 10_000,
};

/** Starts a simulated account on a free port. */
export async function startBatchSimulator(options: SimulatorOptions = {}): Promise<BatchSimulator> {
  const directory = mkdtempSync(join(tmpdir(), "flow-batch-"));
  const { delayMs = {} } = options;
  const each = typeof delayMs === "number" ? delayMs : 5;
  const account = new Account({
    name: "simulated",
    key: Buffer.from("the key of the simulated account, which is no secret").toString("base64"),
    directory,
    delays: {
      ...{ allocate: each, boot: each, deletePool: each, endJob: each },
      ...(typeof delayMs === "number" ? {} : delayMs),
    },
    mounts: openMounts(directory, options.blobEndpoints ?? {}, options.throughKernel ?? false),
    quotas: { ...QUOTAS, ...options.quotas },
    keepDisks: options.keepDisks ?? false,
    nodeEnv: options.nodeEnv ?? { PATH: process.env["PATH"] ?? "" },
  });
  const watchers = new Set<() => void>();
  account.changed = coalesce(() => {
    settle(account);
    for (const watcher of [...watchers]) watcher();
  });
  const faults = new Faults(() => account.clock.now());
  const root = options.openApi ?? process.env["FLOW_AZURE_OPENAPI"] ?? "";
  const openApi = (version: string): Promise<OpenApi | undefined> => openApiOf(root, version);
  const service = {
    account,
    faults,
    openApi,
    exchanges: [] as Exchange[],
    problems: [] as string[],
  };
  const server = await listen(service);
  return {
    endpoint: account.url,
    accountName: account.name,
    accountKey: account.key,
    directory,
    clock: account.clock,
    faults,
    exchanges: service.exchanges,
    problems: service.problems,
    get quotas() {
      return account.quotas;
    },
    setQuotas(quotas) {
      account.quotas = { ...account.quotas, ...quotas };
    },
    setAllocation(allocation) {
      account.allocation = allocation;
    },
    inspect: () => inspect(account),
    preempt(nodeId) {
      preempt(account, findNode(account, nodeId));
    },
    restore(nodeId) {
      boot(account, findNode(account, nodeId));
    },
    breakNode(nodeId, state) {
      const node = findNode(account, nodeId);
      requeueTasksOn(account, node);
      account.enterNode(node, state);
      account.changed();
    },
    shareDirectory: (address) => account.mounts.shareDirectory(address),
    syncMounts: async () => await account.mounts.sync(),
    until: async (what, look) => await until(account, watchers, what, look),
    async close() {
      account.changed = () => undefined;
      account.clock.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      for (const pool of account.pools.values())
        for (const node of pool.nodes.values()) {
          requeueTasksOn(account, node);
          wipe(account, node);
        }
      await account.mounts.close();
      rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
      if (service.problems.length > 0)
        throw new Error(`against the specification:\n${service.problems.join("\n")}`);
    },
  };
}

const loaded = new Map<string, Promise<OpenApi>>();

/** Loads each specification once. */
async function openApiOf(root: string, version: string): Promise<OpenApi | undefined> {
  if (root === "") return undefined;
  const folder = specificationFolder(root, version);
  const known = loaded.get(folder) ?? loadOpenApi(folder);
  loaded.set(folder, known);
  return await known;
}

/** Calls later, once for all calls of the same turn. */
function coalesce(call: () => void): () => void {
  let isPlanned = false;
  return () => {
    if (isPlanned) return;
    isPlanned = true;
    setImmediate(() => {
      isPlanned = false;
      call();
    });
  };
}

function inspect(account: Account): AccountState {
  return {
    pools: [...account.pools.values()].map((pool) => ({
      ...poolWire(account, pool),
      nodes: [...pool.nodes.values()].map((node) => nodeWire(account, node)),
    })),
    jobs: [...account.jobs.values()].map((job) => ({
      ...jobWire(account, job),
      tasks: [...job.tasks.values()].map((task) => taskWire(account, task)),
    })),
  };
}

function findNode(account: Account, id: string): Node {
  for (const pool of account.pools.values()) {
    const node = pool.nodes.get(id);
    if (node !== undefined) return node;
  }
  throw new Error(`no node \`${id}\``);
}

async function until<T>(
  account: Account,
  watchers: Set<() => void>,
  what: string,
  look: (state: AccountState) => T | undefined | false,
): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const check = (): void => {
      const found = look(inspect(account));
      if (found === undefined || found === false) return;
      watchers.delete(check);
      clearTimeout(timer);
      resolve(found);
    };
    const timer = setTimeout(() => {
      watchers.delete(check);
      reject(new Error(`waited ${PATIENCE_MS / 1000} s for ${what}`));
    }, PATIENCE_MS);
    watchers.add(check);
    check();
  });
}
