// From jobs of flow to tasks of Azure Batch. Everything that is sent twice exists once: names follow
// from the attempt, what is about to be made is on disk before it is asked for, and a task that is
// there already is a success.

import { existsSync, readdirSync } from "node:fs";
import {
  type AttemptKey,
  attemptHandle,
  type BackendFailure,
  type Clock,
  err,
  formatDuration,
  type Handle,
  type Job,
  ok,
  type Result,
  SnapshotError,
} from "@flow/core";
import {
  enlist,
  isClosed,
  type Membership,
  preemptionsBefore,
  readExit,
  readMembership,
} from "./attempt/files.ts";
import { mountedFolder } from "./attempt/mounted-checkpoint.ts";
import { each } from "./each.ts";
import type { Jobs } from "./jobs.ts";
import { attemptBlobs, digestOf, projectName } from "./naming.ts";
import type { AzureOptions, AzureTaskOptions } from "./options.ts";
import type { Added, BatchPort, TaskBody } from "./service/batch-port.ts";
import { explain, failureOf } from "./service/explain.ts";
import type { Retry } from "./service/retry.ts";
import { hasCode, ServiceError } from "./service/service-error.ts";
import type { Archives } from "./storage/archives.ts";
import type { BlobStore } from "./storage/blob-store.ts";
import { packTar } from "./storage/tar.ts";
import { filesForShares } from "./storage/uploads.ts";
import { attemptFiles, type Delivery, shellQuote } from "./translate/attempt-files.ts";
import { folderOnMount, maxTimeMs, mountFolders, nodesFor } from "./translate/pool.ts";
import { taskBody } from "./translate/task.ts";

/** Most tasks the service takes at once. */
const COLLECTION = 100;
/** A request may have a megabyte; bodies are measured before they are escaped. */
const MOST_BYTES = 800_000;
const UPLOADS = 8;
const TRIES = 5;
/** Links outlive the run by this much, for what the service uploads last. */
const LINK_MARGIN_MS = 3_600_000;

type Answer = Result<Handle, BackendFailure>;

export interface SubmitterParts {
  readonly batch: BatchPort;
  readonly store: BlobStore;
  readonly retry: Retry;
  readonly archives: Archives;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly options: AzureOptions;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export class Submitter {
  readonly #parts: SubmitterParts;
  /** By mount, the archive of what is to lie there; as it was when it was sent last. */
  #uploads: ReadonlyMap<string, string> | undefined;

  constructor(parts: SubmitterParts) {
    this.#parts = parts;
  }

  /** What was sent may have been removed: the next task sends it again. */
  forget(): void {
    this.#uploads = undefined;
  }

  async submit(
    jobs: readonly Job[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<AttemptKey, Answer>> {
    const answers = new Map<AttemptKey, Answer>();
    const groups = new Map<string, Job[]>();
    for (const job of jobs) {
      const place = signal.aborted ? err(ABORTED) : this.#enlist(job);
      if (!place.ok) answers.set(job.key, place);
      else if (readExit(job.paths.attempt) !== undefined) answers.set(job.key, ok(handle(job)));
      else groups.set(place.value.job, [...(groups.get(place.value.job) ?? []), job]);
    }
    for (const [id, group] of groups)
      for (const [key, answer] of await this.#submitGroup(id, group, signal))
        answers.set(key, answer);
    return answers;
  }

  /** Writes down which job it goes to, unless that is on disk already. */
  #enlist(job: Job): Result<Membership, BackendFailure> {
    const { attempt, root, output, checkpoint } = job.paths;
    if (isClosed(attempt)) return err(CLOSED);
    const known = readMembership(attempt);
    if (known !== undefined) return ok(known);
    const { options, jobs } = this.#parts;
    const preemptions = preemptionsBefore(attempt);
    const limit = (job.options as AzureTaskOptions).max_preemptions ?? options.max_preemptions;
    if (limit !== undefined && preemptions > limit) return err(tooOften(preemptions, limit));
    const nodes = nodesFor(job, options, preemptions);
    const membership: Membership = {
      job: jobs.idFor(job.env["FLOW_RUN_ID"], nodes),
      priority: nodes.priority,
      root,
      output,
      checkpoint,
      mounted: options.state !== undefined,
      graceMs: job.stop.graceMs,
    };
    return enlist(attempt, membership) ? ok(membership) : ok(readMembership(attempt) ?? membership);
  }

  async #submitGroup(
    id: string,
    group: readonly Job[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<AttemptKey, Answer>> {
    const { jobs } = this.#parts;
    try {
      const [first] = group as readonly [Job];
      await jobs.ensure(
        id,
        nodesFor(first, this.#parts.options, preemptionsBefore(first.paths.attempt)),
        group.length,
        signal,
      );
    } catch (error) {
      const failure = err(failed(error));
      return new Map(group.map(({ key }) => [key, failure]));
    }
    const answers = new Map<AttemptKey, Answer>();
    const bodies = new Map<string, { readonly job: Job; readonly body: TaskBody }>();
    await each(group, UPLOADS, async (job) => {
      try {
        const body = await this.#prepare(job, signal);
        if (body.ok) bodies.set(body.value.id, { job, body: body.value });
        else answers.set(job.key, body);
      } catch (error) {
        answers.set(job.key, err(failed(error)));
      }
    });
    for (const piece of pieces([...bodies.values()].map(({ body }) => body)))
      for (const [task, added] of await this.#add(id, piece, signal)) {
        const job = bodies.get(task)?.job;
        if (job !== undefined) answers.set(job.key, answerOf(job, added));
      }
    return answers;
  }

  /** Sends what the task needs and makes its body. */
  async #prepare(job: Job, signal: AbortSignal): Promise<Result<TaskBody, BackendFailure>> {
    const { store, retry, archives, options, clock } = this.#parts;
    const blobs = attemptBlobs(job.key);
    const until = clock.wall() + options.max_time + LINK_MARGIN_MS;
    const link = (name: string, permissions: "r" | "cw" | "rcw") =>
      retry.call(() => store.link(name, permissions, until), signal);
    const staged = options.state === undefined;
    const mostMs = maxTimeMs(nodesFor(job, options, preemptionsBefore(job.paths.attempt)), options);
    if (mostMs <= job.stop.graceMs) return err(tooShort(mostMs, job.stop.graceMs));
    const limitMs = Math.min(mostMs, ownLimit(job) ?? mostMs);
    const files = attemptFiles(job, {
      claimUrl: await link(blobs.claim, "rcw"),
      stopUrl: await link(blobs.stop, "r"),
      stateUrl: staged ? await link(blobs.state, "cw") : undefined,
      stopPollMs: options.stop_poll,
      saveMs: options.save,
      stateMount: staged ? undefined : this.#stateFolder(job),
      fresh: isEmpty(job.paths.checkpoint),
      limitMs,
      mounts: mountFolders(options),
      stdouterr: this.#outputFolder(job),
      deliveries: await this.#deliveries(job, (name) => link(name, "r")),
    });
    if (!files.ok) return err({ type: "rejected", message: files.error });
    await retry.call(() => store.putNew(blobs.spec, packTar(files.value)), signal);
    const resources: Record<string, string> = {};
    const shared: Record<string, string> = {
      "support.tar": await link(await archives.support(), "r"),
      "code.tar": await link(await archives.code(), "r"),
      "attempt.tar": await link(blobs.spec, "r"),
    };
    const inputs = await archives.inputs([...job.inputs, ...stdinFiles(job)]);
    if (inputs !== undefined) shared["inputs.tar.gz"] = await link(inputs, "r");
    if (staged && (await this.#sendState(job)))
      resources["state.tar.gz"] = await link(blobs.start, "r");
    const secrets = this.#secrets(job);
    if (secrets !== "") {
      await retry.call(() => store.putNew(blobs.secrets, Buffer.from(secrets)), signal);
      resources["secrets"] = await link(blobs.secrets, "r");
    }
    const url = await retry.call(() => store.link(undefined, "cw", until), signal);
    const result = { url, path: store.path(blobs.result) };
    const serviceMs = Math.min(mostMs, limitMs + SLACK_MS);
    return ok(taskBody({ job, shared, resources, result, maxTimeMs: serviceMs }));
  }

  async #deliveries(
    job: Job,
    link: (name: string) => Promise<string>,
  ): Promise<readonly Delivery[]> {
    const folders = mountFolders(this.#parts.options);
    const { root } = job.paths;
    this.#uploads ??= await this.#sendUploads(root);
    const found: Delivery[] = [];
    for (const [name, blob] of this.#uploads) {
      found.push({
        folder: folders[name] ?? name,
        mark: `.flow-upload-${projectName(root)}`,
        digest: digestOf(blob),
        url: await link(blob),
      });
    }
    return found;
  }

  async #sendUploads(root: string): Promise<ReadonlyMap<string, string>> {
    const { options, archives } = this.#parts;
    const sent = new Map<string, string>();
    for (const [name, files] of filesForShares({ options, root }))
      sent.set(name, await archives.named(files));
    return sent;
  }

  #stateFolder(job: Job): string {
    const { options } = this.#parts;
    const { state = "" } = options;
    return `${mountFolders(options)[state] ?? state}/${mountedFolder(projectName(job.paths.root), job.key)}`;
  }

  /** A folder of its own for each attempt, on the mount that is asked for. */
  #outputFolder(job: Job): string | undefined {
    const { options } = this.#parts;
    if (options.stdouterr === undefined) return undefined;
    return `${folderOnMount(options, options.stdouterr)}/${job.key}`;
  }

  /** What earlier attempts left in the persistent directories goes along; false when there is nothing. */
  async #sendState({ key, paths }: Job): Promise<boolean> {
    const { archives } = this.#parts;
    const state = [
      ["out", paths.output],
      ["ckpt", paths.checkpoint],
    ] as const;
    const full = state.filter(([, path]) => !isEmpty(path));
    if (full.length === 0) return false;
    await archives.renamed(attemptBlobs(key).start, Object.fromEntries(full));
    return true;
  }

  /** Text of a shell file that exports the secrets; empty without any. */
  #secrets({ secrets }: Job): string {
    return secrets
      .flatMap((name) => {
        const value = this.#parts.env[name];
        return value === undefined ? [] : [`export ${name}=${shellQuote(value)}\n`];
      })
      .join("");
  }

  /** Adds at most a hundred; those that the service has trouble with are sent again, the others not. */
  async #add(
    id: string,
    bodies: readonly TaskBody[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Added>> {
    const { batch, retry, clock } = this.#parts;
    const answers = new Map<string, Added>();
    let left = bodies;
    for (let tries = 1; left.length > 0; tries++) {
      try {
        const sent = left;
        const found = await retry.call(() => batch.addTasks(id, sent), signal);
        for (const [task, added] of found) answers.set(task, added);
      } catch (error) {
        if (hasCode(error, "RequestBodyTooLarge") && left.length > 1) {
          const half = Math.ceil(left.length / 2);
          for (const part of [left.slice(0, half), left.slice(half)])
            for (const [task, added] of await this.#add(id, part, signal)) answers.set(task, added);
          return answers;
        }
        for (const { id: task } of left) answers.set(task, refusal(error));
        return answers;
      }
      left = left.filter((body) => (answers.get(body.id) ?? AGAIN).type === "again");
      if (tries >= TRIES) break;
      if (left.length > 0) await clock.sleep(1000 * tries, signal).catch(() => undefined);
    }
    return answers;
  }
}

/** From the moment the service counts from until the program begins, and from its end until all is packed. */
const SLACK_MS = 600_000;

/** When the program is killed by its own time limit at the latest; undefined without one. */
const ownLimit = ({ timeoutMs, stop }: Job): number | undefined =>
  timeoutMs === undefined ? undefined : timeoutMs + stop.graceMs;

/** The stop before a time limit comes the grace earlier. */
const tooShort = (mostMs: number, graceMs: number): BackendFailure => ({
  type: "rejected",
  message: `\`max_time\` or \`max_node_hours\` leaves it ${formatDuration(mostMs)}, which is no longer than the grace of its stop, ${formatDuration(graceMs)}: it would be stopped at once. Raise the limit, or shorten \`stop: {grace: …}\`.`,
});

const AGAIN: Added = { type: "again", message: "the service did not answer for the task" };

const ABORTED: BackendFailure = {
  type: "unavailable",
  message: "flow is stopping",
  retryAfterMs: undefined,
};

const CLOSED: BackendFailure = {
  type: "rejected",
  message: "the attempt was given up before it could start",
};

const tooOften = (preemptions: number, limit: number): BackendFailure => ({
  type: "rejected",
  message: `its nodes were taken away ${preemptions} times in a row; \`max_preemptions\` allows ${limit}. Use \`priority: dedicated\` or set \`dedicated_after\``,
});

const handle = ({ key, paths }: Job): Handle => attemptHandle(key, paths.attempt);

function answerOf(job: Job, added: Added): Answer {
  if (added.type === "added" || added.type === "exists") return ok(handle(job));
  if (added.type === "again")
    return err({ type: "unavailable", message: added.message, retryAfterMs: undefined });
  return err({ type: "rejected", message: explain(added.code, added.message) });
}

/** An error for a whole request, as what it means for each of its tasks. */
function refusal(error: unknown): Added {
  const failure = failed(error);
  return failure.type === "unavailable"
    ? { type: "again", message: failure.message }
    : {
        type: "refused",
        code: error instanceof ServiceError ? error.code : "",
        message: failure.message,
      };
}

const failed = (error: unknown): BackendFailure =>
  error instanceof SnapshotError
    ? { type: "misconfigured", message: error.message }
    : failureOf(error);

/** Files that are standard inputs and lie in the project. */
const stdinFiles = ({ actions, finally: last, paths }: Job): readonly string[] =>
  [...actions, ...last].flatMap(({ stdin }) =>
    stdin?.startsWith(`${paths.root}/`) === true ? [stdin.slice(paths.root.length + 1)] : [],
  );

const isEmpty = (directory: string): boolean =>
  !existsSync(directory) || readdirSync(directory).length === 0;

function* pieces(bodies: readonly TaskBody[]): Generator<readonly TaskBody[]> {
  let piece: TaskBody[] = [];
  let bytes = 0;
  for (const body of bodies) {
    const size = Buffer.byteLength(JSON.stringify(body));
    if (piece.length > 0 && (piece.length === COLLECTION || bytes + size > MOST_BYTES)) {
      yield piece;
      piece = [];
      bytes = 0;
    }
    piece.push(body);
    bytes += size;
  }
  if (piece.length > 0) yield piece;
}
