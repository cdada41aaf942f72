// The jobs of one flow process in the service, and the pools under them. A job is made when its first
// task is, and is left so that the service ends it by itself when its last task has.

import type { Clock } from "@flow/core";
import type { Ledger } from "./ledger.ts";
import { jobId, sharedPoolId } from "./naming.ts";
import type { AzureOptions } from "./options.ts";
import type { BatchPort, Image } from "./service/batch-port.ts";
import type { Retry } from "./service/retry.ts";
import { hasCode, ServiceError } from "./service/service-error.ts";
import type { BlobStore } from "./storage/blob-store.ts";
import { SCALE_INTERVAL } from "./translate/autoscale.ts";
import {
  chooseImage,
  formulaOf,
  isOwned,
  jobBody,
  maxTimeMs,
  type Nodes,
  nodesName,
  type PoolRequest,
  poolSpec,
  type Secrets,
} from "./translate/pool.ts";

export interface JobsParts {
  readonly batch: BatchPort;
  readonly store: BlobStore;
  readonly retry: Retry;
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly options: AzureOptions;
  readonly project: string;
  /** Value of an environment variable. */
  readonly variable: Secrets["variable"];
  /** Brings what is to lie in containers there. */
  upload(): Promise<void>;
  /** What lets the nodes of a pool use its mounts, until then (Unix milliseconds; undefined: for ever). */
  mountAccess(until: number | undefined): Promise<Secrets["mounts"]>;
}

export class Jobs {
  readonly #parts: JobsParts;
  readonly #made = new Map<string, Promise<void>>();
  #container: Promise<void> | undefined;
  #uploaded: Promise<void> | undefined;

  constructor(parts: JobsParts) {
    this.#parts = parts;
  }

  idFor(run: string | undefined, nodes: Nodes): string {
    const { options, project } = this.#parts;
    return jobId(project, run, nodesName(nodes, options));
  }

  /** Somebody may have removed the container: it is made, where it is not there, when it is next needed. */
  forgetContainer(): void {
    this.#container = undefined;
  }

  /** Resolves when the job is there and takes tasks. Rejects with a ServiceError. */
  ensure(id: string, nodes: Nodes, tasks: number, signal: AbortSignal): Promise<void> {
    const known = this.#made.get(id);
    if (known !== undefined) return known.then(() => this.#ensureContainer(signal));
    const making = this.#make(id, nodes, tasks, signal);
    this.#made.set(id, making);
    making.catch(() => this.#made.delete(id));
    return making;
  }

  async #make(id: string, nodes: Nodes, tasks: number, signal: AbortSignal): Promise<void> {
    const { batch, retry, ledger, options, project, clock } = this.#parts;
    await this.#ensureContainer(signal);
    this.#uploaded ??= this.#parts.upload();
    this.#uploaded.catch(() => {
      this.#uploaded = undefined;
    });
    await this.#uploaded;
    const limitMs = maxTimeMs(nodes, options);
    const until = clock.wall() + limitMs;
    const first = nodes.together ? nodes.most : Math.ceil(tasks / nodes.slots);
    const pool = await this.#pool(nodes, first, until, signal);
    ledger.announce("job", id);
    const body = jobBody({ id, project, maxTimeMs: limitMs, until, pool });
    try {
      await retry.call(() => batch.addJob(body), signal);
    } catch (error) {
      if (!hasCode(error, "JobExists")) throw error;
      await this.#check(id, signal);
    }
  }

  /** A job of this name is ours, from before a crash or a lost answer, or somebody else's. */
  async #check(id: string, signal: AbortSignal): Promise<void> {
    const { batch, retry, project } = this.#parts;
    const job = await retry.call(() => batch.job(id), signal);
    if (job !== undefined && !isOwned(job.metadata, project))
      throw new ServiceError("JobExists", `the job ${id} belongs to somebody else`, {
        status: 409,
      });
  }

  #ensureContainer(signal: AbortSignal): Promise<void> {
    this.#container ??= this.#makeContainer(signal);
    this.#container.catch(() => {
      this.#container = undefined;
    });
    return this.#container;
  }

  async #makeContainer(signal: AbortSignal): Promise<void> {
    const { store, retry, ledger } = this.#parts;
    ledger.announce("container", store.container);
    await retry.call(() => store.create(), signal);
  }

  async #pool(nodes: Nodes, first: number, until: number, signal: AbortSignal) {
    const { options } = this.#parts;
    if (typeof options.pool === "object") {
      await this.#checkPool(options.pool.id, nodes, signal);
      return { id: options.pool.id };
    }
    const end = options.pool === "shared" ? undefined : until;
    const request = await this.poolRequest(nodes, first, end, signal);
    const spec = poolSpec(request);
    if (options.pool === "ephemeral") return { spec };
    const { batch, retry, ledger, project } = this.#parts;
    const id = sharedPoolId(project, nodesName(nodes, options));
    ledger.announce("pool", id);
    try {
      await retry.call(() => batch.addPool({ id, ...spec }), signal);
    } catch (error) {
      if (!hasCode(error, "PoolExists")) throw error;
      if (spec.enableAutoScale) await this.#wake(id, request, signal);
    }
    return { id };
  }

  /** A pool that sleeps is asked to look at its tasks now, and not at its next interval. */
  async #wake(id: string, request: PoolRequest, signal: AbortSignal): Promise<void> {
    const { batch, retry } = this.#parts;
    const formula = formulaOf(request);
    try {
      await retry.call(() => batch.setAutoScale(id, formula, SCALE_INTERVAL), signal);
    } catch (error) {
      // Somebody has just done so, or resizes it by hand: it wakes later by itself.
      if (!(error instanceof ServiceError) || error.status !== 409) throw error;
    }
  }

  /** What a pool of these nodes is made from; the image is the service's newest where none is named. */
  async poolRequest(
    nodes: Nodes,
    first: number,
    until: number | undefined,
    signal: AbortSignal,
  ): Promise<PoolRequest> {
    const { options, project, variable, clock, mountAccess } = this.#parts;
    const image = await this.#image(nodes, signal);
    const now = clock.wall();
    const mounts = await mountAccess(until);
    const secrets = { mounts, variable };
    return { nodes, options, image, project, first, now, until, secrets };
  }

  async #image(nodes: Nodes, signal: AbortSignal): Promise<Pick<Image, "reference" | "agent">> {
    const { batch, retry, options, clock } = this.#parts;
    if (options.image !== undefined) {
      const { agent, ...reference } = options.image;
      return { agent, reference };
    }
    const images = await retry.call(() => batch.images(), signal);
    const chosen = chooseImage(images, nodes.images.length > 0, clock.wall());
    if (chosen !== undefined) return chosen;
    const what = nodes.images.length > 0 ? "with containers " : "";
    throw new ServiceError(
      "NoImage",
      `the account offers no verified Ubuntu image ${what}whose support does not end soon; name one under \`image\``,
      { status: 400 },
    );
  }

  /** What cannot work on a pool that is there is better said before tasks wait for ever. */
  async #checkPool(id: string, nodes: Nodes, signal: AbortSignal): Promise<void> {
    const { batch, retry, options } = this.#parts;
    const pool = await retry.call(() => batch.pool(id), signal);
    const refuse = (message: string): never => {
      throw new ServiceError("PoolUnfit", message, { status: 400 });
    };
    if (pool === undefined)
      throw new ServiceError("PoolNotFound", `the pool ${id} does not exist`, { status: 404 });
    if (pool.state === "deleting") refuse(`the pool ${id} is being deleted`);
    if (pool.hasContainers !== nodes.images.length > 0)
      refuse(
        pool.hasContainers
          ? `the pool ${id} runs containers only, and a task names none; give it \`container\``
          : `the pool ${id} has no containers, and a task names one`,
      );
    if (nodes.together && !pool.interNode)
      refuse(
        `the nodes of the pool ${id} cannot talk to each other, which \`resources.nodes\` needs`,
      );
    for (const [name, mount] of Object.entries(options.mounts)) {
      const path = mount.path ?? name;
      if (!pool.mounts.includes(path))
        refuse(
          `the pool ${id} has nothing mounted at \`${path}\`, and mounts cannot be added to it`,
        );
    }
  }
}
