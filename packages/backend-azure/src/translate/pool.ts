// Which nodes a task needs, and the pool and the job that give them. Pure.

import type { Job } from "@flow/core";
import { digestOf, idPrefix, maker } from "../naming.ts";
import type { AzureOptions, AzureTaskOptions, MountOptions, RegistryOptions } from "../options.ts";
import type {
  Image,
  ImageReference,
  JobBody,
  MountBody,
  NameValue,
  PoolSpecBody,
  RegistryBody,
} from "../service/batch-port.ts";
import { SCALE_INTERVAL, scaleFormula } from "./autoscale.ts";
import { isoDuration } from "./task.ts";

/** What tells one pool from another. */
export interface Nodes {
  readonly vmSize: string;
  readonly priority: "dedicated" | "low";
  readonly slots: number;
  readonly most: number;
  /** Container images that the tasks name; none: the nodes have no containers. */
  readonly images: readonly string[];
  /** Nodes talk to each other. */
  readonly together: boolean;
}

/** The nodes for one job; after so many preemptions of its task a preemptible one becomes dedicated. */
export function nodesFor(
  job: Pick<Job, "options" | "resources" | "container">,
  options: AzureOptions,
  preemptions: number,
): Nodes {
  const own = job.options as AzureTaskOptions;
  const {
    vm_size: size = "",
    priority = "dedicated",
    slots = 1,
    nodes = 1,
  } = { ...options, ...own };
  const patience = own.dedicated_after ?? options.dedicated_after;
  const together = (job.resources.nodes ?? 1) > 1;
  return {
    vmSize: size,
    priority: patience !== undefined && preemptions >= patience ? "dedicated" : priority,
    slots: together ? 1 : slots,
    most: Math.max(nodes, job.resources.nodes ?? 1),
    images: job.container === undefined ? [] : [job.container],
    together,
  };
}

const HOUR_MS = 3_600_000;

/** When the service ends everything of a run on these nodes, in milliseconds from its beginning. */
export const maxTimeMs = ({ most }: Nodes, { max_time, max_node_hours }: AzureOptions): number =>
  max_node_hours === undefined
    ? max_time
    : Math.min(max_time, Math.floor((max_node_hours * HOUR_MS) / most));

/** Short name of a kind of nodes: six hex digits. */
export const nodesName = (nodes: Nodes, options: AzureOptions): string =>
  digestOf(
    JSON.stringify([
      nodes,
      options.pool,
      options.image,
      options.start,
      options.mounts,
      options.registries,
    ]),
  ).slice(0, 6);

/** What lets nodes use a mount: a link's signature for a container, or the key of an account. */
export type MountAccess = { readonly sasKey: string } | { readonly accountKey: string };

export interface Secrets {
  /** By name of the mount; absent for those that need nothing, or have an identity. */
  readonly mounts: Readonly<Record<string, MountAccess>>;
  /** Value of an environment variable. */
  variable(name: string): string | undefined;
}

export interface PoolRequest {
  readonly nodes: Nodes;
  readonly options: AzureOptions;
  readonly image: Pick<Image, "reference" | "agent">;
  readonly project: string;
  /** Nodes that the tasks at hand need. */
  readonly first: number;
  /** Unix milliseconds. */
  readonly now: number;
  /** Unix milliseconds after which there are no nodes; absent: no end, but none without tasks either. */
  readonly until: number | undefined;
  readonly secrets: Secrets;
}

export function poolSpec(request: PoolRequest): PoolSpecBody {
  const { nodes, options, image, project } = request;
  const mounts = Object.entries(options.mounts).map(([name, mount]) =>
    mountBody(name, mount, options, request.secrets.mounts[name]),
  );
  return {
    displayName: `flow ${project}`,
    vmSize: nodes.vmSize,
    virtualMachineConfiguration: {
      imageReference: image.reference,
      nodeAgentSKUId: image.agent,
      ...(nodes.images.length === 0 ? {} : containers(nodes.images, options, request.secrets)),
    },
    taskSlotsPerNode: nodes.slots,
    ...scale(request),
    enableInterNodeCommunication: nodes.together,
    ...(options.start === undefined ? {} : { startTask: startTask(options.start) }),
    metadata: ownership(project, request.until),
    ...(mounts.length === 0 ? {} : { mountConfiguration: mounts }),
    targetNodeCommunicationMode: "simplified",
  };
}

function scale(request: PoolRequest) {
  const { nodes, options, first } = request;
  const { priority, most } = nodes;
  const start = Math.min(most, Math.max(1, first));
  if (options.scale === "fixed" || nodes.together)
    return {
      enableAutoScale: false,
      targetDedicatedNodes: priority === "dedicated" ? start : 0,
      targetLowPriorityNodes: priority === "low" ? start : 0,
    };
  return {
    enableAutoScale: true,
    autoScaleFormula: formulaOf(request),
    autoScaleEvaluationInterval: SCALE_INTERVAL,
  };
}

/** How long a new pool keeps the nodes it began with. */
const SETTLE_MS = 600_000;

export const formulaOf = ({ nodes, first, now, until }: PoolRequest): string =>
  scaleFormula({
    priority: nodes.priority,
    slots: nodes.slots,
    nodes: nodes.most,
    first: Math.min(nodes.most, Math.max(1, first)),
    firstUntil: now + SETTLE_MS,
    until,
  });

const startTask = (command: string): NonNullable<PoolSpecBody["startTask"]> => ({
  commandLine: `/bin/sh -c '${command.replaceAll("'", "'\\''")}'`,
  userIdentity: { autoUser: { scope: "pool", elevationLevel: "admin" } },
  maxTaskRetryCount: 1,
  waitForSuccess: true,
});

function containers(images: readonly string[], options: AzureOptions, secrets: Secrets) {
  const registries = options.registries.map((each) => registryBody(each, secrets));
  return {
    containerConfiguration: {
      type: "dockerCompatible" as const,
      containerImageNames: images,
      ...(registries.length === 0 ? {} : { containerRegistries: registries }),
    },
  };
}

function registryBody(
  { server, user, password_variable: variable, identity }: RegistryOptions,
  secrets: Secrets,
): RegistryBody {
  if (identity !== undefined)
    return { registryServer: server, identityReference: { resourceId: identity } };
  const password = variable === undefined ? undefined : secrets.variable(variable);
  return {
    registryServer: server,
    ...(user === undefined ? {} : { userName: user }),
    ...(password === undefined ? {} : { password }),
  };
}

/** Name → folder below the node's mounts. */
export const mountFolders = ({ mounts }: AzureOptions): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(mounts).map(([name, { path }]) => [name, path ?? name]));

/** `mount/path` as a folder below the node's mounts. */
export function folderOnMount(options: AzureOptions, place: string): string {
  const [name = "", ...rest] = place.split("/");
  return [mountFolders(options)[name] ?? name, ...rest].join("/");
}

function mountBody(
  name: string,
  mount: MountOptions,
  options: AzureOptions,
  access: MountAccess | undefined,
): MountBody {
  const relativeMountPath = mount.path ?? name;
  const mountOptions = mount.options === undefined ? {} : { mountOptions: mount.options };
  if ("nfs" in mount)
    return { nfsMountConfiguration: { source: mount.nfs, relativeMountPath, ...mountOptions } };
  const accountName = mount.account ?? options.storage.account;
  if ("files" in mount)
    return {
      azureFileShareConfiguration: {
        accountName,
        azureFileUrl: `https://${accountName}.file.core.windows.net/${mount.files}`,
        accountKey: access !== undefined && "accountKey" in access ? access.accountKey : "",
        relativeMountPath,
        ...mountOptions,
      },
    };
  return {
    azureBlobFileSystemConfiguration: {
      accountName,
      containerName: mount.blob,
      relativeMountPath,
      ...(mount.identity === undefined
        ? access
        : { identityReference: { resourceId: mount.identity } }),
      ...(mount.options === undefined ? {} : { blobfuseOptions: mount.options }),
    },
  };
}

/** Whose it is, for clean-up and for people. */
const ownership = (project: string, until: number | undefined): readonly NameValue[] => [
  { name: "flow.project", value: project },
  { name: "flow.user", value: maker() },
  ...(until === undefined ? [] : [{ name: "flow.expires", value: new Date(until).toISOString() }]),
];

export const isOwned = (metadata: readonly NameValue[], project: string): boolean =>
  metadata.some(({ name, value }) => name === "flow.project" && value === project);

export interface JobRequest {
  readonly id: string;
  readonly project: string;
  readonly maxTimeMs: number;
  readonly until: number;
  readonly pool: { readonly id: string } | { readonly spec: PoolSpecBody };
}

export const jobBody = ({ id, project, maxTimeMs, until, pool }: JobRequest): JobBody => ({
  id,
  displayName: `flow ${project}`,
  priority: 0,
  constraints: { maxWallClockTime: isoDuration(maxTimeMs) },
  poolInfo:
    "id" in pool
      ? { poolId: pool.id }
      : {
          autoPoolSpecification: {
            autoPoolIdPrefix: idPrefix(project),
            poolLifetimeOption: "job",
            keepAlive: false,
            pool: pool.spec,
          },
        },
  onAllTasksComplete: "noaction",
  metadata: ownership(project, until),
});

/** An image whose support ends sooner is not worth starting with. */
const WORTH_MS = 60 * 86_400_000;

/**
 * The newest verified Ubuntu that the service supports; undefined when there is none. Without containers
 * Canonical's own comes first: others of the same age bring drivers and tools along, and start slowly.
 */
export function chooseImage(
  images: readonly Image[],
  withContainers: boolean,
  wall: number,
): { readonly reference: ImageReference; readonly agent: string } | undefined {
  const good = images.filter(
    ({ agent, verified, endOfLife, capabilities }) =>
      verified &&
      agent.startsWith("batch.node.ubuntu ") &&
      (endOfLife ?? Number.POSITIVE_INFINITY) > wall + WORTH_MS &&
      (!withContainers || capabilities.includes("DockerCompatible")),
  );
  const rank = ({ agent, reference: { publisher, sku } }: Image): string =>
    `${agent} ${!withContainers && publisher.toLowerCase() === "canonical" ? 1 : 0} ${sku}`;
  return good.toSorted((a, b) => rank(b).localeCompare(rank(a), "en", { numeric: true }))[0];
}
