/** Lists as the service gives them: filtered, cut to the selected properties, in pages that link on. */
import { invalidQuery } from "./errors.ts";
import type { Wire } from "./wire.ts";

/** Entries on a page unless a client or a test wants fewer. */
const PAGE = 1000;

export interface ListRequest {
  readonly query: URLSearchParams;
  /** Absolute, without query. */
  readonly url: string;
  /** The name after `$metadata#`. */
  readonly entity: string;
  /** Fewer than the client asked for, if a test wants short pages. */
  readonly pageSize?: number;
}

/** One page of a list as an answer. */
export function listWire(request: ListRequest, all: readonly Wire[]): Wire {
  const { query, url, entity } = request;
  const filter = query.get("$filter");
  const matching = filter === null ? all : all.filter(parseFilter(filter));
  const wanted = Number(query.get("maxresults") ?? PAGE);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > PAGE)
    throw invalidQuery("maxresults", query.get("maxresults") ?? "", "maxresults out of range");
  const size = Math.min(wanted, request.pageSize ?? PAGE);
  const start = position(query.get("$skiptoken"), matching);
  const page = matching.slice(start, start + size);
  const last = page.at(-1);
  const end = start + size;
  const isEnd = end >= matching.length || last === undefined;
  const base = new URL(url).origin;
  return {
    "odata.metadata": `${base}/$metadata#${entity}`,
    value: page.map((each) => selectProperties(each, query.get("$select"))),
    ...(isEnd ? {} : { "odata.nextLink": nextLink(url, query, `${end} ${idOf(last)}`) }),
  };
}

function idOf(entry: Wire): string {
  const id = entry["id"] ?? entry["name"] ?? entry["poolId"];
  return typeof id === "number" ? String(id) : textOf(id);
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

/** The token names the last entry seen, so that a list that changes meanwhile goes on after it; or its place. */
function position(token: string | null, all: readonly Wire[]): number {
  if (token === null) return 0;
  const seen = Buffer.from(token.replace(/^WATV2:/, ""), "base64url").toString();
  const [, end, id] = /^(\d+) (.*)$/.exec(seen) ?? [];
  if (end === undefined)
    throw invalidQuery("$skiptoken", token, "the token is not one of this list");
  const at = id === "" ? -1 : all.findIndex((entry) => idOf(entry) === id);
  return at < 0 ? Number(end) : at + 1;
}

function nextLink(url: string, query: URLSearchParams, last: string): string {
  const next = new URLSearchParams(query);
  next.set("$skiptoken", `WATV2:${Buffer.from(last).toString("base64url")}`);
  return `${url}?${next.toString()}`;
}

/** Keeps the properties that `$select` names; everything without it. */
export function selectProperties(entry: Wire, select: string | null): Wire {
  if (select === null || select === "") return entry;
  const wanted = select.split(",").map((name) => name.trim());
  const kept = wanted
    .filter((name) => entry[name] !== undefined)
    .map((name) => [name, entry[name]]);
  const metadata = entry["odata.metadata"];
  return {
    ...(metadata === undefined ? {} : { "odata.metadata": metadata }),
    ...(Object.fromEntries(kept) as Wire),
  };
}

const TERM =
  /^\s*(?:startswith\(\s*([\w/]+)\s*,\s*'((?:[^']|'')*)'\s*\)|([\w/]+)\s+(eq|ne|lt|le|gt|ge)\s+(datetime'[^']*'|'(?:[^']|'')*'|true|false|-?\d+))\s*$/;

/** The subset that clients use: comparisons and `startswith`, joined by `and` and `or`. */
function parseFilter(filter: string): (entry: Wire) => boolean {
  const terms = filter
    .split(/\s+or\s+/)
    .map((either) => either.split(/\s+and\s+/).map((each) => parseTerm(each, filter)));
  return (entry) => terms.some((all) => all.every((holds) => holds(entry)));
}

function parseTerm(text: string, filter: string): (entry: Wire) => boolean {
  const match = TERM.exec(
    text.replaceAll(/^\(|\)$/g, (each) => (/startswith/.test(text) ? each : "")),
  );
  if (match === null) throw invalidQuery("$filter", filter, `cannot read \`${text.trim()}\``);
  const [, prefixOf, prefix = "", path = "", operator = "", literal = ""] = match;
  if (prefixOf !== undefined)
    return (entry) => textOf(at(entry, prefixOf)).startsWith(prefix.replaceAll("''", "'"));
  const wanted = parseLiteral(literal);
  return (entry) => {
    const found = at(entry, path);
    if (found === undefined) return operator === "ne";
    return compare(operator, comparable(found, wanted), wanted);
  };
}

type Literal = string | number | boolean;

function parseLiteral(text: string): Literal {
  if (text.startsWith("datetime'")) return Date.parse(text.slice(9, -1));
  if (text.startsWith("'")) return text.slice(1, -1).replaceAll("''", "'").toLowerCase();
  return text === "true" || text === "false" ? text === "true" : Number(text);
}

function comparable(found: unknown, wanted: Literal): Literal {
  if (typeof wanted === "number")
    return typeof found === "number" ? found : Date.parse(String(found));
  return typeof wanted === "boolean" ? found === true : String(found).toLowerCase();
}

function compare(operator: string, a: Literal, b: Literal): boolean {
  switch (operator) {
    case "eq":
      return a === b;
    case "ne":
      return a !== b;
    case "lt":
      return a < b;
    case "le":
      return a <= b;
    case "gt":
      return a > b;
    default:
      return a >= b;
  }
}

function at(entry: Wire, path: string): unknown {
  let value: unknown = entry;
  for (const step of path.split("/")) value = (value as Wire | undefined)?.[step];
  return value;
}
