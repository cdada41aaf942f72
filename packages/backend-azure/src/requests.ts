// What would be sent to Azure Batch for tasks, for people to look at before anything is paid for:
// links, keys and what the service chooses are named instead of shown. Pure.

import { attemptKey, type BackendContext, type Job, type Json, type Task } from "@flow/core";
import { attemptBlobs, jobId, projectName, sharedPoolId } from "./naming.ts";
import type { AzureOptions } from "./options.ts";
import {
  jobBody,
  maxTimeMs,
  type Nodes,
  nodesFor,
  nodesName,
  type PoolRequest,
  poolSpec,
} from "./translate/pool.ts";
import { type TaskPart, taskBody } from "./translate/task.ts";

/** An image that is chosen when the pool is made. */
const CHOSEN = {
  agent: "batch.node.ubuntu (the newest that is verified)",
  reference: {
    publisher: "canonical",
    offer: "ubuntu (the newest that is verified)",
    sku: "chosen when the pool is made",
    version: "latest",
  },
};

const HOUR_MS = 3_600_000;

/** One entry per kind of nodes: the pool or job with its tasks, and what it costs at most in hours of nodes. */
export function requests(
  { options, root, ports }: BackendContext<AzureOptions>,
  tasks: readonly Task[],
): readonly Json[] {
  const project = projectName(root);
  const now = ports.clock.wall();
  const groups = new Map<string, { readonly nodes: Nodes; readonly tasks: Task[] }>();
  for (const task of tasks) {
    const nodes = nodesFor(partOf(task), options, 0);
    const name = nodesName(nodes, options);
    const group = groups.get(name) ?? { nodes, tasks: [] };
    group.tasks.push(task);
    groups.set(name, group);
  }
  return [...groups].map(([name, { nodes, tasks: members }]) => {
    const limitMs = maxTimeMs(nodes, options);
    const until = now + limitMs;
    const spec = poolSpec(poolRequest(nodes, members.length, options, project, now));
    const pool =
      typeof options.pool === "object"
        ? { id: options.pool.id }
        : options.pool === "shared"
          ? { id: sharedPoolId(project, name) }
          : { spec };
    const id = jobId(project, "RUN", name);
    const job = jobBody({ id, project, maxTimeMs: limitMs, until, pool });
    const bodies = members.map((task) =>
      taskBody({
        job: partOf(task),
        shared: LINKS,
        resources: {},
        result: {
          url: "(a link to the container that only allows writing)",
          path: attemptBlobs(attemptKey(task.key, 1)).result,
        },
        maxTimeMs: limitMs,
      }),
    );
    const made =
      options.pool === "shared" ? { pool: { id: sharedPoolId(project, name), ...spec } } : {};
    const nodeHours = (nodes.most * limitMs) / HOUR_MS;
    return JSON.parse(
      JSON.stringify({ ...made, job, tasks: bodies, nodeHoursAtMost: nodeHours }),
    ) as Json;
  });
}

const LINK = "(a link that only allows reading this)";
const LINKS = { "support.tar": LINK, "code.tar": LINK, "attempt.tar": LINK };

function poolRequest(
  nodes: Nodes,
  tasks: number,
  options: AzureOptions,
  project: string,
  now: number,
): PoolRequest {
  const { image } = options;
  const access = {
    sasKey: "(a signature that ends with the run)",
    accountKey: "(the account's key)",
  };
  return {
    nodes,
    options,
    image: image === undefined ? CHOSEN : { agent: image.agent, reference: referenceOf(image) },
    project,
    first: Math.ceil(tasks / nodes.slots),
    now,
    until: options.pool === "shared" ? undefined : now + maxTimeMs(nodes, options),
    secrets: {
      mounts: Object.fromEntries(
        Object.entries(options.mounts).map(([name, mount]) => [
          name,
          "blob" in mount && options.pool === "ephemeral"
            ? { sasKey: access.sasKey }
            : { accountKey: access.accountKey },
        ]),
      ),
      variable: (name) => `(the value of ${name})`,
    },
  };
}

const referenceOf = ({ publisher, offer, sku, version }: NonNullable<AzureOptions["image"]>) => ({
  publisher,
  offer,
  sku,
  version,
});

/** The task's next attempt, as far as it is known before it is made. */
const partOf = (task: Task): TaskPart & Pick<Job, "options"> => ({
  key: attemptKey(task.key, 1),
  task: task.id,
  container: task.container,
  resources: task.resources,
  options: (task.backendOptions["azure-batch"] ?? {}) as Readonly<Record<string, unknown>>,
});
