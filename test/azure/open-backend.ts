/** The backend over a simulated account and a real blob server. */
import { readdirSync, readFileSync } from "node:fs";
import { backend } from "@flow/backend-azure";
import {
  type Backend,
  type BackendContext,
  backendName,
  captureTree,
  nodeClock,
  silentLog,
} from "@flow/core";
import type { Azurite } from "./azurite.ts";
import type { BatchSimulator } from "./simulator/index.ts";

/** Where the services are, and who may use them. */
export interface Services {
  readonly simulator: BatchSimulator;
  readonly azurite: Azurite;
}

/** Options as a flow file has them: short pauses, a pool of three nodes that is there at once. */
export const optionsFor = ({ simulator, azurite }: Services, more: object = {}): object => ({
  endpoint: simulator.endpoint,
  account: simulator.accountName,
  storage: { account: azurite.accountName, endpoint: azurite.blobEndpoint },
  vm_size: "standard_d2s_v3",
  nodes: 3,
  slots: 4,
  scale: "fixed",
  poll: "50ms",
  stop_poll: "100ms",
  ...more,
});

/** The keys, in the variables that the options name by default. */
export const keysFor = ({ simulator, azurite }: Services): Readonly<Record<string, string>> => ({
  AZURE_BATCH_ACCESS_KEY: simulator.accountKey,
  AZURE_STORAGE_KEY: azurite.accountKey,
});

/** Opens the backend for a project; `code` is what counts as its code. */
export async function openBackend(
  services: Services,
  root: string,
  options: object = {},
  context: Partial<BackendContext<unknown>> = {},
): Promise<Backend> {
  const parsed = backend.parseOptions(optionsFor(services, options));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  const opened = await backend.open({
    name: backendName("azure"),
    root,
    stateDirectory: `${root}/.flow`,
    ports: { clock: nodeClock, log: silentLog, env: { ...process.env, ...keysFor(services) } },
    ...context,
    options: parsed.value,
  });
  if (!opened.ok) throw new Error(opened.error);
  return opened.value;
}

/** How many living processes belong to an attempt. */
export const processesOf = (key: string): number =>
  readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const environment = readFileSync(`/proc/${name}/environ`, "utf8");
      return environment.split("\0").includes(`FLOW_ATTEMPT_KEY=${key}`);
    } catch {
      return false;
    }
  }).length;

/** The jobs' own files are no code. */
export const captureAll = (root: string) => ({
  captureCode: async () => {
    const code = { include: [], omit: ["attempts", "out"] };
    const { tree } = await captureTree({ root, code, products: [] });
    return tree;
  },
});
