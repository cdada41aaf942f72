/**
 * The HTTP side of the simulator: signatures, versions, validation in both directions, faults, and the
 * headers of the real service. Every exchange is kept for tests to read.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Account } from "./account.ts";
import { ServiceError } from "./errors.ts";
import type { Fault, Faults } from "./faults.ts";
import { jobOperations } from "./job-operations.ts";
import { checkModel } from "./models.ts";
import type { OpenApi } from "./openapi.ts";
import { findOperation, type Operation } from "./operations.ts";
import { poolOperations } from "./pool-operations.ts";
import type { Answer, Handler, Request } from "./request.ts";
import { checkSignature } from "./signature.ts";

/** Versions of the interface that are spoken. */
const VERSIONS: readonly string[] = ["2022-10-01.16.0", "2023-11-01.18.0"];
const JSON_TYPE = "application/json;odata=minimalmetadata";
/** Answers that do not name the thing they are about. */
const WITHOUT_ID = /^(GET|HEAD|DELETE) |Task_Reactivate$/;
const INVALID_QUERY =
  "Value for one of the query parameters specified in the request URI is invalid.";
const INVALID_BODY = "The specified Request Body is not syntactically valid.";
const handlers: Readonly<Record<string, Handler>> = { ...poolOperations, ...jobOperations };

/** One request with what became of it. */
export interface Exchange {
  /** When it came, by the simulator's clock. */
  readonly at: number;
  /** The official name; the method and path where there is none. */
  readonly operation: string;
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
  /** Absent where the connection was cut. */
  status?: number;
  answer?: string;
  answerHeaders?: Readonly<Record<string, string>>;
  readonly fault?: Fault["kind"];
}

export interface Service {
  readonly account: Account;
  readonly faults: Faults;
  /** The official specification of a version of the interface; `undefined` where it is not at hand. */
  readonly openApi: (version: string) => Promise<OpenApi | undefined>;
  readonly exchanges: Exchange[];
  /** Requests and answers that broke the specification. */
  readonly problems: string[];
}

/** Listens on a free port of this machine and sets the account's URL. */
export async function listen(service: Service): Promise<Server> {
  const server = createServer((incoming, outgoing) => {
    void serve(service, incoming, outgoing).catch((error: unknown) => {
      service.problems.push(`the simulator failed: ${String((error as Error).stack)}`);
      outgoing.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  service.account.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return server;
}

async function serve(
  service: Service,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const { account, exchanges, faults } = service;
  const body = await read(incoming);
  const target = incoming.url ?? "/";
  const method = incoming.method ?? "GET";
  const url = new URL(target, account.url);
  const found = findOperation(method, url.pathname);
  const operation = found?.operation.id ?? `${method} ${url.pathname}`;
  const fault = faults.next(operation);
  const exchange: Exchange = {
    at: account.clock.now(),
    operation,
    method,
    target,
    headers: incoming.headers,
    body,
    ...(fault === undefined ? {} : { fault: fault.kind }),
  };
  exchanges.push(exchange);
  if (fault?.kind === "tell") fault.tell();
  if (fault?.kind === "disconnect") {
    incoming.socket.destroy();
    return;
  }
  const answer = await answerTo(service, { incoming, method, target, url, body, found, fault });
  send({ account, exchange, answer, fault, incoming, outgoing });
}

async function read(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

interface Call {
  readonly incoming: IncomingMessage;
  readonly method: string;
  readonly target: string;
  readonly url: URL;
  readonly body: string;
  readonly found: ReturnType<typeof findOperation>;
  readonly fault: Fault | undefined;
}

interface Finished {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

async function answerTo(service: Service, call: Call): Promise<Finished> {
  try {
    const { fault } = call;
    if (fault?.kind === "refuse")
      throw new ServiceError(fault.status, fault.code, fault.code, {}, fault.retryAfter);
    const finished = await perform(service, call);
    if (fault?.kind === "time-out-after")
      throw new ServiceError(
        500,
        "OperationTimedOut",
        "Operation could not be completed within the specified time.",
      );
    return finished;
  } catch (error) {
    if (error instanceof ServiceError) return refusal(service.account, error);
    throw error;
  } finally {
    service.account.changed();
  }
}

async function perform(service: Service, call: Call): Promise<Finished> {
  const { account } = service;
  const { incoming, method, target, url, found } = call;
  const { headers } = incoming;
  checkSignature({ method, target, headers }, account, Date.now());
  const version = url.searchParams.get("api-version") ?? "";
  if (!VERSIONS.includes(version))
    throw new ServiceError(
      400,
      "UnsupportedRequestVersion",
      "The specified request version is not supported.",
      { RequestVersion: version },
    );
  const handler = found === undefined ? undefined : handlers[found.operation.id];
  if (found === undefined || handler === undefined) {
    service.problems.push(`${method} ${url.pathname}: no such operation`);
    throw new ServiceError(400, "InvalidUri", "The requested URI does not represent any resource.");
  }
  const body = await checkBody(service, call, found.operation);
  const request: Request = {
    account,
    parameters: found.parameters,
    query: url.searchParams,
    headers: headers as Readonly<Record<string, string | undefined>>,
    body,
    url: `${account.url}${url.pathname}`,
    lists: {
      arrange: (name, entries) => service.faults.arrange(name, entries),
      ...(service.faults.pageSize === undefined ? {} : { pageSize: service.faults.pageSize }),
    },
  };
  const finished = finish(account, found.operation, handler(request), request.url);
  await checkAnswer(service, call, body, finished);
  return finished;
}

async function checkBody(service: Service, call: Call, operation: Operation): Promise<unknown> {
  const body = call.body === "" ? undefined : (JSON.parse(call.body) as unknown);
  const reasons: string[] = [];
  if (
    body !== undefined &&
    !/odata=minimalmetadata/.test(call.incoming.headers["content-type"] ?? "")
  )
    reasons.push("the content type is not `application/json; odata=minimalmetadata`");
  if (operation.model !== undefined && body !== undefined)
    reasons.push(...checkModel(operation.model, body));
  if (operation.model === undefined && body !== undefined) reasons.push("there must be no body");
  const openApi = await openApiFor(service, call);
  if (openApi !== undefined)
    reasons.push(
      ...(await openApi.checkRequest({
        method: call.method,
        url: call.url.href,
        requestBody: body ?? {},
      })),
    );
  if (reasons.length === 0) return body ?? {};
  service.problems.push(`${operation.id}: ${reasons.join("; ")}`);
  const Reason = reasons.join("; ");
  throw operation.model === undefined
    ? new ServiceError(400, "InvalidQueryParameterValue", INVALID_QUERY, { Reason })
    : new ServiceError(400, "InvalidRequestBody", INVALID_BODY, { Reason });
}

function finish(account: Account, operation: Operation, answer: Answer, url: string): Finished {
  const { body, stamped, location } = answer;
  const isFile = Buffer.isBuffer(body);
  return {
    status: answer.status ?? operation.status,
    headers: {
      ...common(account),
      ...(stamped === undefined
        ? {}
        : { etag: stamped.eTag, "last-modified": new Date(stamped.lastModified).toUTCString() }),
      ...(WITHOUT_ID.test(`${operation.method} ${operation.id}`)
        ? {}
        : { dataserviceid: location ?? url }),
      ...(location === undefined ? {} : { location }),
      ...(body === undefined || isFile ? {} : { "content-type": JSON_TYPE }),
      ...answer.headers,
    },
    body: body === undefined || isFile ? body : Buffer.from(JSON.stringify(body)),
  };
}

const openApiFor = (service: Service, call: Call): Promise<OpenApi | undefined> =>
  service.openApi(call.url.searchParams.get("api-version") ?? "");

async function checkAnswer(
  service: Service,
  call: Call,
  requestBody: unknown,
  finished: Finished,
): Promise<void> {
  const openApi = await openApiFor(service, call);
  if (openApi === undefined || call.method === "HEAD") return;
  const isJson = finished.headers["content-type"] === JSON_TYPE;
  if (finished.body !== undefined && !isJson) return; // A file.
  const problems = await openApi.checkAnswer({
    method: call.method,
    url: call.url.href,
    requestBody,
    status: finished.status,
    headers: finished.headers,
    responseBody: isJson ? (JSON.parse(String(finished.body)) as unknown) : undefined,
  });
  for (const problem of problems)
    service.problems.push(`the simulator's own answer to ${call.found?.operation.id}: ${problem}`);
}

const common = (account: Account): Record<string, string> => ({
  "request-id": randomUUID(),
  server: "SIMULATED",
  "strict-transport-security": "max-age=31536000; includeSubDomains",
  "x-content-type-options": "nosniff",
  dataserviceversion: "3.0",
  date: new Date(account.clock.now()).toUTCString(),
});

function refusal(account: Account, error: ServiceError): Finished {
  const headers = common(account);
  const stamp = `\nRequestId:${headers["request-id"]}\nTime:${account.clock.stamp()}`;
  const values = Object.entries(error.values).map(([key, value]) => ({ key, value }));
  const body = {
    "odata.metadata": `${account.url}/$metadata#Microsoft.Azure.Batch.Protocol.Entities.Container.errors/@Element`,
    code: error.code,
    message: { lang: "en-US", value: error.message + stamp },
    ...(values.length === 0 ? {} : { values }),
  };
  return {
    status: error.status,
    headers: {
      ...headers,
      "content-type": JSON_TYPE,
      ...(error.retryAfter === undefined ? {} : { "retry-after": String(error.retryAfter) }),
    },
    body: Buffer.from(JSON.stringify(body)),
  };
}

function send(to: {
  readonly account: Account;
  readonly exchange: Exchange;
  readonly answer: Finished;
  readonly fault: Fault | undefined;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}): void {
  const { exchange, answer, fault, incoming, outgoing } = to;
  if (fault?.kind === "lose-answer") {
    incoming.socket.destroy();
    return;
  }
  exchange.status = answer.status;
  exchange.answer = answer.body?.toString("utf8") ?? "";
  exchange.answerHeaders = answer.headers;
  for (const [name, value] of Object.entries(answer.headers)) outgoing.setHeader(name, value);
  outgoing.statusCode = answer.status;
  const { body } = answer;
  if (exchange.method === "HEAD") {
    if (body !== undefined) outgoing.setHeader("content-length", body.length);
    outgoing.end();
  } else if (body === undefined) outgoing.end();
  else if (fault?.kind === "cut-body" && body.length > 1) {
    outgoing.write(body.subarray(0, Math.floor(body.length / 2)), () => incoming.socket.destroy());
  } else if (answer.status >= 400) {
    outgoing.setHeader("content-length", body.length);
    outgoing.end(body);
  } else {
    outgoing.write(body); // Chunked, as the service does it.
    outgoing.end();
  }
}
