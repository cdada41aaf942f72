// The only file that knows `@azure/batch`. Its client's own retries are switched off (they wait for
// half a minute whatever the service asks for), its errors are taken apart (their `message` is an
// object), its pages are followed to the end, and its words are put in lower case.

import { BatchServiceClient, BatchSharedKeyCredentials } from "@azure/batch";
import type { Added, BatchPort } from "./batch-port.ts";
import { BATCH_RESOURCE, type Credentials } from "./credentials.ts";
import { added, imageOf, jobRow, nodeRow, poolRow, taskRow } from "./rows.ts";
import { hasCode, parseRetryAfter, ServiceError } from "./service-error.ts";

const TASK_COLUMNS = "id,state,executionInfo,nodeInfo";
const PAGE = 1000;

/** The service answers in seconds: who says nothing for this long is gone, though no connection is closed. */
const ANSWER_MS = 100_000;

export interface BatchClientOptions {
  /** `https://account.region.batch.azure.com`. */
  readonly endpoint: string;
  readonly credentials: Credentials;
  /** Absent: the client's own. */
  readonly apiVersion: string | undefined;
}

export function batchClient({ endpoint, credentials, apiVersion }: BatchClientOptions): BatchPort {
  const client = new BatchServiceClient(signer(credentials), endpoint, {
    noRetryPolicy: true,
    userAgent: "flow",
  });
  if (apiVersion !== undefined) client.apiVersion = apiVersion;
  return {
    ...jobCalls(client),
    ...taskCalls(client),
    ...fileCalls(client),
    ...poolCalls(client),
    ...nodeCalls(client),
  };
}

type Signer = ConstructorParameters<typeof BatchServiceClient>[0];

function signer(credentials: Credentials): Signer {
  if (credentials.type === "key")
    return new BatchSharedKeyCredentials(credentials.account, credentials.key);
  return {
    async signRequest(request) {
      const { text } = await credentials.token(BATCH_RESOURCE);
      request.headers.set("authorization", `Bearer ${text}`);
      return request;
    },
  };
}

function jobCalls(client: BatchServiceClient) {
  return {
    addJob: (body) => done(client.job.add(mutable(body))),
    job: async (id) => {
      const job = await orAbsent(client.job.get(id), "JobNotFound");
      return job && jobRow(job);
    },
    jobs: async (prefix) => {
      const filter = `startswith(id,'${prefix}')`;
      const jobs = await pages(
        client.job.list({ jobListOptions: { filter, maxResults: PAGE } }),
        (link) => client.job.listNext(link),
      );
      return jobs.map(jobRow);
    },
    endJobWithItsTasks: (id) => done(client.job.patch(id, { onAllTasksComplete: "terminatejob" })),
    deleteJob: (id) => done(client.job.deleteMethod(id)),
  } satisfies Partial<BatchPort>;
}

function taskCalls(client: BatchServiceClient) {
  return {
    async addTasks(job, bodies) {
      const { value = [] } = await called(client.task.addCollection(job, mutable(bodies)));
      return new Map(value.map((result): [string, Added] => [result.taskId, added(result)]));
    },
    async tasks(job) {
      const taskListOptions = { select: TASK_COLUMNS, maxResults: PAGE };
      const tasks = await pages(client.task.list(job, { taskListOptions }), (link) =>
        client.task.listNext(link),
      );
      return tasks.map(taskRow);
    },
    task: async (job, id) => {
      const options = { taskGetOptions: { select: TASK_COLUMNS } };
      const task = await orAbsent(client.task.get(job, id, options), "TaskNotFound", "JobNotFound");
      return task && taskRow(task);
    },
    terminateTask: (job, id) => done(client.task.terminate(job, id)),
  } satisfies Partial<BatchPort>;
}

function fileCalls(client: BatchServiceClient) {
  return {
    async files(job, task) {
      const options = { recursive: true, fileListFromTaskOptions: { maxResults: PAGE } };
      const files = await pages(client.file.listFromTask(job, task, options), (link) =>
        client.file.listFromTaskNext(link),
      );
      return files.flatMap(({ name, isDirectory, properties }) =>
        name === undefined || isDirectory === true
          ? []
          : [{ name: name.replaceAll("\\", "/"), bytes: Number(properties?.contentLength ?? 0) }],
      );
    },
    async fileSize(job, task, path) {
      const found = await orAbsent(client.file.getPropertiesFromTask(job, task, path), ...NO_FILE);
      const length = found?._response.headers.get("content-length");
      return length === undefined ? undefined : Number(length);
    },
    async readFile(job, task, path, from, to) {
      const fileGetFromTaskOptions = { ocpRange: `bytes=${from}-${to - 1}` };
      const found = await orAbsent(
        client.file.getFromTask(job, task, path, { fileGetFromTaskOptions }),
        ...NO_FILE,
      );
      return found && called(bytesOf(found.readableStreamBody, to - from));
    },
  } satisfies Partial<BatchPort>;
}

function poolCalls(client: BatchServiceClient) {
  return {
    addPool: (body) => done(client.pool.add(mutable(body))),
    pool: async (id) => {
      const pool = await orAbsent(client.pool.get(id), "PoolNotFound");
      return pool && poolRow(pool);
    },
    async pools() {
      const found = await pages(
        client.pool.list({ poolListOptions: { maxResults: PAGE } }),
        (link) => client.pool.listNext(link),
      );
      return found.map(poolRow);
    },
    resizePool: (id, targetDedicatedNodes, targetLowPriorityNodes) =>
      done(client.pool.resize(id, { targetDedicatedNodes, targetLowPriorityNodes })),
    setAutoScale: (id, autoScaleFormula, autoScaleEvaluationInterval) =>
      done(client.pool.enableAutoScale(id, { autoScaleFormula, autoScaleEvaluationInterval })),
    disableAutoScale: (id) => done(client.pool.disableAutoScale(id)),
    deletePool: (id) => done(client.pool.deleteMethod(id)),
    async images() {
      const found = await pages(
        client.account.listSupportedImages({
          accountListSupportedImagesOptions: { maxResults: PAGE },
        }),
        (link) => client.account.listSupportedImagesNext(link),
      );
      return found.map(imageOf);
    },
  } satisfies Partial<BatchPort>;
}

function nodeCalls(client: BatchServiceClient) {
  return {
    async nodes(pool) {
      const computeNodeListOptions = { maxResults: PAGE };
      const found = await pages(client.computeNode.list(pool, { computeNodeListOptions }), (link) =>
        client.computeNode.listNext(link),
      );
      return found.map(nodeRow);
    },
    async nodeFile(pool, node, path) {
      const found = await orAbsent(client.file.getFromComputeNode(pool, node, path), ...NO_FILE);
      return found && called(bytesOf(found.readableStreamBody, undefined));
    },
  } satisfies Partial<BatchPort>;
}

/** While there is no node, or no directory on it, there is no file either. */
const NO_FILE = [
  "FileNotFound",
  "TaskNotFound",
  "JobNotFound",
  "NodeNotFound",
  "NodeNotReady",
  "OperationInvalidForCurrentState",
  "InvalidRange",
];

/** The client's types know neither `readonly` nor `exactOptionalPropertyTypes`; the shapes are the same. */
const mutable = (body: unknown) => structuredClone(body) as never;

async function called<T>(call: Promise<T>): Promise<T> {
  try {
    return await answered(call);
  } catch (error) {
    throw serviceError(error);
  }
}

/** The client waits for ever for the rest of an answer that never comes. */
async function answered<T>(call: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_, reject) => {
    const text = `there was no answer for ${ANSWER_MS / 1000} s`;
    timer = setTimeout(() => reject(new ServiceError("Unreachable", text)), ANSWER_MS);
  });
  try {
    return await Promise.race([call, silence]);
  } finally {
    clearTimeout(timer);
  }
}

const done = async (call: Promise<unknown>): Promise<void> => {
  await called(call);
};

async function orAbsent<T>(call: Promise<T>, ...codes: readonly string[]): Promise<T | undefined> {
  try {
    return await called(call);
  } catch (error) {
    // A HEAD request is answered without a body, and so without a code.
    if (hasCode(error, ...codes) || hasCode(error, "404", "409", "416")) return undefined;
    throw error;
  }
}

/** The first page of a list, and a link to the next. */
type Page<T> = readonly T[] & { readonly odatanextLink?: string };

async function pages<T>(
  first: Promise<Page<T>>,
  next: (link: string) => Promise<Page<T>>,
): Promise<readonly T[]> {
  const all: T[] = [];
  let page = await called(first);
  for (;;) {
    all.push(...page);
    if (page.odatanextLink === undefined) return all;
    page = await called(next(page.odatanextLink));
  }
}

interface RawError {
  readonly statusCode?: number;
  readonly code?: string;
  readonly message?: unknown;
  readonly body?: {
    readonly code?: string;
    readonly message?: { readonly value?: string };
    readonly values?: readonly { readonly key?: string; readonly value?: string }[];
  };
  readonly response?: { readonly headers: { get(name: string): string | undefined } };
}

function serviceError(error: unknown): Error {
  if (error instanceof ServiceError) return error;
  const { statusCode, code, message, body, response } = error as RawError;
  if (statusCode === undefined) {
    if (code === undefined && error instanceof TypeError) return error;
    const text = typeof message === "string" ? message : String(error);
    return new ServiceError("Unreachable", text, { cause: error });
  }
  const details = (body?.values ?? []).flatMap(({ key, value }) =>
    value === undefined ? [] : [key === undefined ? value : `${key}: ${value}`],
  );
  const sentence = body?.message?.value?.split("\n")[0] ?? `HTTP status ${statusCode}`;
  return new ServiceError(body?.code ?? String(statusCode), [sentence, ...details].join(" "), {
    status: statusCode,
    retryAfterMs: parseRetryAfter(response?.headers.get("retry-after"), Date.now()),
    requestId: response?.headers.get("request-id"),
  });
}

async function bytesOf(
  stream: NodeJS.ReadableStream | undefined,
  most: number | undefined,
): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of stream ?? []) chunks.push(Buffer.from(chunk as Buffer));
  } catch (error) {
    // What came before the connection broke is good; the rest is asked for again.
    if (chunks.length === 0) throw serviceError(error);
  }
  const bytes = Buffer.concat(chunks);
  return most === undefined ? bytes : bytes.subarray(0, most);
}
