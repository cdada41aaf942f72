/**
 * Checks the SharedKey signature of a request, as Microsoft documents it: the headers that were sent are
 * taken as they came, none is assumed.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { ServiceError } from "./errors.ts";

export interface SignedRequest {
  readonly method: string;
  /** Path and query as they came over the wire. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Account {
  readonly name: string;
  /** Base64. */
  readonly key: string;
}

const SIGNED_HEADERS = [
  "content-encoding",
  "content-language",
  "content-length",
  "content-md5",
  "content-type",
  "date",
  "if-modified-since",
  "if-match",
  "if-none-match",
  "if-unmodified-since",
  "range",
];

/** Throws the service's answer to a request that is not signed with the account's key. */
export function checkSignature(request: SignedRequest, account: Account, now: number): void {
  const header = request.headers.authorization ?? "";
  const [, scheme, name, signature = ""] = /^(SharedKey) ([^:]+):(.+)$/.exec(header) ?? [];
  if (scheme === undefined || name !== account.name) throw refusal("is not that of the account");
  const sent = Date.parse(String(request.headers["ocp-date"] ?? request.headers.date ?? ""));
  if (!(Math.abs(sent - now) < 15 * 60_000)) throw refusal("has a date that is too far away");
  const expected = createHmac("sha256", Buffer.from(account.key, "base64"))
    .update(stringToSign(request, account.name), "utf8")
    .digest();
  const given = Buffer.from(signature, "base64");
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw refusal("does not match the request");
}

function stringToSign({ method, target, headers }: SignedRequest, account: string): string {
  const url = new URL(target, "http://service.invalid");
  const own = Object.keys(headers)
    .filter((name) => name.startsWith("ocp-"))
    .sort()
    .map((name) => `${name}:${String(headers[name])}`);
  const query = [...url.searchParams]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `\n${name.toLowerCase()}:${value}`);
  return [
    method,
    ...SIGNED_HEADERS.map((name) => String(headers[name] ?? "")),
    ...own,
    `/${account}${url.pathname}${query.join("")}`,
  ].join("\n");
}

const refusal = (reason: string): ServiceError =>
  new ServiceError(
    403,
    "AuthenticationFailed",
    "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.",
    { AuthenticationErrorDetail: `The signature ${reason}.` },
  );
