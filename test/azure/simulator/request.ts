/** What an operation is given and what it gives back, between the HTTP server and the account. */
import type { Account, Job, Node, Pool, Task } from "./account.ts";
import { invalidProperty, notFound, ServiceError } from "./errors.ts";
import { type ListRequest, listWire, selectProperties } from "./listing.ts";
import type { Wire } from "./wire.ts";

export interface Request {
  readonly account: Account;
  /** Decoded parameters of the path. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Checked against the operation's model. */
  readonly body: unknown;
  /** Absolute, without query. */
  readonly url: string;
  /** Gives lists as a test wants them: stale, shuffled, in short pages. */
  readonly lists: {
    readonly pageSize?: number;
    readonly arrange: (name: string, entries: readonly Wire[]) => readonly Wire[];
  };
}

export interface Answer {
  /** Overrides the operation's status. */
  readonly status?: number;
  readonly body?: Wire | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Puts `etag` and `last-modified` into the headers. */
  readonly stamped?: { readonly eTag: string; readonly lastModified: string };
  /** The new thing, for `location`. */
  readonly location?: string;
}

export type Handler = (request: Request) => Answer;

export function poolOf({ account, parameters }: Request): Pool {
  const pool = account.findPool(parameters["poolId"] ?? "");
  if (pool === undefined) throw notFound("Pool");
  return pool;
}

export function nodeOf(request: Request): Node {
  const node = poolOf(request).nodes.get(request.parameters["nodeId"] ?? "");
  if (node === undefined) throw notFound("Node");
  return node;
}

export function jobOf({ account, parameters }: Request): Job {
  const job = account.findJob(parameters["jobId"] ?? "");
  if (job === undefined) throw notFound("Job");
  return job;
}

export function taskOf(request: Request): Task {
  const task = jobOf(request).tasks.get((request.parameters["taskId"] ?? "").toLowerCase());
  if (task === undefined) throw notFound("Task");
  return task;
}

/** One thing as an answer, cut to what `$select` names. */
export function single(request: Request, entity: string, wire: Wire): Wire {
  const metadata = `${request.account.url}/$metadata#${entity}`;
  return selectProperties({ "odata.metadata": metadata, ...wire }, request.query.get("$select"));
}

/** A list as an answer. */
export function list(request: Request, entity: string, entries: readonly Wire[]): Answer {
  const page: ListRequest = {
    query: request.query,
    url: request.url,
    entity,
    ...(request.lists.pageSize === undefined ? {} : { pageSize: request.lists.pageSize }),
  };
  return { body: listWire(page, request.lists.arrange(request.url, entries)) };
}

/** Refuses an id that the service would refuse. */
export function checkId(id: string): void {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(id)) return;
  throw invalidProperty(
    "id",
    id,
    "The specified id must be 1 to 64 characters of letters, digits, hyphens and underscores",
  );
}

/** Refuses a change of something that is not what the client has seen. */
export function checkConditions(request: Request, thing: { readonly eTag: string }): void {
  const wanted = request.headers["if-match"];
  if (wanted === undefined || wanted === "*" || wanted.replaceAll('"', "") === thing.eTag) return;
  throw new ServiceError(
    412,
    "ConditionNotMet",
    "The condition specified using HTTP conditional header(s) is not met.",
  );
}
