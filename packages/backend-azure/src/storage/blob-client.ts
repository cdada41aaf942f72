// The only file that knows `@azure/storage-blob`. Its own retries are switched off; flow's apply.

import {
  BlobSASPermissions,
  BlobServiceClient,
  type ContainerClient,
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  RestError,
  SASProtocol,
  StorageSharedKeyCredential,
  type UserDelegationKey,
} from "@azure/storage-blob";
import { type Credentials, STORAGE_RESOURCE } from "../service/credentials.ts";
import { hasCode, parseRetryAfter, ServiceError } from "../service/service-error.ts";
import type { BlobStore, Permissions } from "./blob-store.ts";

export interface BlobClientOptions {
  /** `https://account.blob.core.windows.net`; for a server of one's own with the account in its path. */
  readonly endpoint: string;
  readonly account: string;
  readonly container: string;
  readonly credentials: Credentials;
  readonly wall: () => number;
}

/** A key for links of an identity lives at most seven days. */
const DELEGATION_MS = 6 * 24 * 3_600_000;
/** Clocks of nodes may be behind. */
const SKEW_MS = 300_000;
/** Blobs that one request removes. */
const BATCH = 256;

export function blobClient(options: BlobClientOptions): BlobStore {
  const service = serviceClient(options);
  const container = service.getContainerClient(options.container);
  const sign = signer(service, options);
  return {
    account: options.account,
    container: options.container,
    path: (name) => name,
    create: async () => (await called(container.createIfNotExists())).succeeded,
    exists: (name) => called(container.getBlobClient(name).exists()),
    putNew: (name, content) =>
      isNew(container.getBlockBlobClient(name).uploadData(content, ONLY_NEW)),
    putNewFile: (name, path) =>
      isNew(container.getBlockBlobClient(name).uploadFile(path, ONLY_NEW)),
    async put(name, content) {
      await called(container.getBlockBlobClient(name).uploadData(content));
    },
    async putFile(name, path, digest) {
      const options = { metadata: { [DIGEST]: digest } };
      await called(container.getBlockBlobClient(name).uploadFile(path, options));
    },
    async digest(name) {
      const found = await orAbsent(container.getBlobClient(name).getProperties());
      return found?.metadata?.[DIGEST];
    },
    get: (name) => orAbsent(container.getBlobClient(name).downloadToBuffer()),
    async download(name, path) {
      const found = await orAbsent(container.getBlobClient(name).downloadToFile(path));
      return found !== undefined;
    },
    list: (prefix) => listed(container, prefix),
    async remove(names) {
      const batches = container.getBlobBatchClient();
      for (let from = 0; from < names.length; from += BATCH) {
        const urls = names
          .slice(from, from + BATCH)
          .map((name) => container.getBlobClient(name).url);
        await called(batches.deleteBlobs(urls, service.credential));
      }
    },
    async removeContainer() {
      await called(container.deleteIfExists());
    },
    async link(name, permissions, until) {
      const place = name === undefined ? container : container.getBlobClient(name);
      return `${place.url}?${await sign(name, permissions, until)}`;
    },
  };
}

const DIGEST = "flowdigest";

const ONLY_NEW = { conditions: { ifNoneMatch: "*" } };

function serviceClient({ endpoint, credentials }: BlobClientOptions): BlobServiceClient {
  const options = { retryOptions: { maxTries: 1 }, userAgentOptions: { userAgentPrefix: "flow" } };
  if (credentials.type === "key") {
    const key = new StorageSharedKeyCredential(credentials.account, credentials.key);
    return new BlobServiceClient(endpoint, key, options);
  }
  const { token } = credentials;
  const identity = {
    async getToken() {
      const { text, expiresAt } = await token(STORAGE_RESOURCE);
      return { token: text, expiresOnTimestamp: expiresAt };
    },
  };
  return new BlobServiceClient(endpoint, identity, options);
}

type Sign = (name: string | undefined, permissions: Permissions, until: number) => Promise<string>;

function signer(service: BlobServiceClient, options: BlobClientOptions): Sign {
  const { credentials, account, container, endpoint, wall } = options;
  const protocol = endpoint.startsWith("http:") ? SASProtocol.HttpsAndHttp : SASProtocol.Https;
  const values = (name: string | undefined, permissions: Permissions, until: number) => ({
    containerName: container,
    ...(name === undefined ? {} : { blobName: name }),
    permissions:
      name === undefined
        ? ContainerSASPermissions.parse(permissions)
        : BlobSASPermissions.parse(permissions),
    startsOn: new Date(wall() - SKEW_MS),
    expiresOn: new Date(until),
    protocol,
  });
  if (credentials.type === "key") {
    const key = new StorageSharedKeyCredential(credentials.account, credentials.key);
    return async (...what) => generateBlobSASQueryParameters(values(...what), key).toString();
  }
  let known: { readonly key: UserDelegationKey; readonly until: number } | undefined;
  return async (name, permissions, until) => {
    const now = wall();
    if (known === undefined || known.until < until) {
      const last = now + DELEGATION_MS;
      const start = new Date(now - SKEW_MS);
      const key = await called(service.getUserDelegationKey(start, new Date(last)));
      known = { key, until: last };
    }
    const end = Math.min(until, known.until);
    return generateBlobSASQueryParameters(
      values(name, permissions, end),
      known.key,
      account,
    ).toString();
  };
}

async function listed(container: ContainerClient, prefix: string) {
  const all = [];
  try {
    for await (const { name, properties } of container.listBlobsFlat({ prefix }))
      all.push({ name, bytes: properties.contentLength ?? 0, tag: properties.etag });
  } catch (error) {
    const trouble = serviceError(error);
    if (hasCode(trouble, "ContainerNotFound")) return [];
    throw trouble;
  }
  return all;
}

async function called<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw serviceError(error);
  }
}

async function isNew(call: Promise<unknown>): Promise<boolean> {
  try {
    await called(call);
    return true;
  } catch (error) {
    if (hasCode(error, "BlobAlreadyExists", "ConditionNotMet")) return false;
    throw error;
  }
}

async function orAbsent<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await called(call);
  } catch (error) {
    if (hasCode(error, "BlobNotFound", "ContainerNotFound", "404")) return undefined;
    throw error;
  }
}

function serviceError(error: unknown): Error {
  if (error instanceof ServiceError || !(error instanceof RestError)) return error as Error;
  if (error.statusCode === undefined)
    return new ServiceError("Unreachable", error.message, { cause: error });
  const { headers } = error.response ?? {};
  const sentence = error.message.split("\n")[0] ?? "";
  const code = headers?.get("x-ms-error-code") ?? String(error.statusCode);
  return new ServiceError(code, sentence, {
    status: error.statusCode,
    retryAfterMs: parseRetryAfter(headers?.get("retry-after"), Date.now()),
    requestId: headers?.get("x-ms-request-id"),
  });
}
