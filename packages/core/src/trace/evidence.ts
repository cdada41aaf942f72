// The nothing-to-do path. A run that finds everything fresh leaves a list of all it looked at; as
// long as every one of those files and directories has the same stat signature, the next run has
// nothing to do, and finding that out costs one stat each. A list that is damaged, old or does not
// fit proves nothing, and the ordinary way is taken. Imports nothing but the file system: loading
// this file is part of the cost.

import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";

/** What must hold besides the files. */
export interface EvidenceTerms {
  /** Everything that was asked: selectors, parameters, flags, flow's version, as one text. */
  readonly request: string;
  /** Environment variables the plan depends on; undefined: not set. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What to say when there is nothing to do; opaque JSON of the caller. */
  readonly summary: unknown;
}

const magic = "flow-evidence 1";
const numbersPerPath = 4;
const bytesPerNumber = 8;

/** Mtime, ctime, size and inode of what lies at a path; NaN for all when nothing does. */
function measure(path: string, into: Float64Array, at: number): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  into[at] = stat?.mtimeMs ?? Number.NaN;
  into[at + 1] = stat?.ctimeMs ?? Number.NaN;
  into[at + 2] = stat?.size ?? Number.NaN;
  into[at + 3] = stat?.ino ?? Number.NaN;
}

/**
 * Writes down that there is nothing to do while these paths (absolute) are as they are. `confirm`
 * is called for each path after it was measured and says whether it still is what was verified;
 * one "no" and nothing is written. Returns whether it was.
 */
export function writeEvidence(
  file: string,
  terms: EvidenceTerms,
  paths: readonly string[],
  confirm: (path: string) => boolean,
): boolean {
  if (paths.length === 0 || paths.some((path) => path.includes("\n"))) return false;
  const numbers = new Float64Array(paths.length * numbersPerPath);
  for (const [index, path] of paths.entries()) {
    measure(path, numbers, index * numbersPerPath);
    if (!confirm(path)) return false;
  }
  const env = Object.fromEntries(
    Object.entries(terms.env).map(([name, value]) => [name, value ?? null]),
  );
  const list = Buffer.from(paths.join("\n"));
  const { request, summary } = terms;
  const header: Header = { request, env, summary, listBytes: list.length };
  const temporary = `${file}.${process.pid}.tmp`;
  const parts = [Buffer.from(`${magic}\n${JSON.stringify(header)}\n`), list];
  writeFileSync(temporary, Buffer.concat([...parts, Buffer.from(numbers.buffer)]), { mode: 0o600 });
  renameSync(temporary, file);
  return true;
}

interface Header {
  readonly request: string;
  readonly env: Readonly<Record<string, string | null>>;
  readonly summary: unknown;
  readonly listBytes: number;
}

/**
 * The summary that was left with the evidence when it still holds for this request and environment;
 * undefined when it does not, or when there is none. Never throws, never writes.
 */
export function checkEvidence(
  file: string,
  request: string,
  env: Readonly<Record<string, string | undefined>>,
): { readonly summary: unknown } | undefined {
  try {
    const bytes = readFileSync(file);
    const headerStart = bytes.indexOf("\n") + 1;
    if (bytes.toString("latin1", 0, headerStart - 1) !== magic) return undefined;
    const listStart = bytes.indexOf("\n", headerStart) + 1;
    const header = JSON.parse(bytes.toString("utf8", headerStart, listStart)) as Header;
    if (header.request !== request) return undefined;
    for (const name in header.env) if ((env[name] ?? null) !== header.env[name]) return undefined;
    return isUnchanged(bytes, listStart, listStart + header.listBytes)
      ? { summary: header.summary }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Compares every path of the list with its numbers, which follow the list to the end. */
function isUnchanged(bytes: Buffer, listStart: number, listEnd: number): boolean {
  const paths = bytes.toString("utf8", listStart, listEnd).split("\n");
  const numberBytes = paths.length * numbersPerPath * bytesPerNumber;
  if (bytes.length - listEnd !== numberBytes) return false;
  // A copy, because the numbers may begin at an address that cannot be read as numbers.
  const start = bytes.byteOffset + listEnd;
  const numbers = new Float64Array(bytes.buffer.slice(start, start + numberBytes));
  const now = new Float64Array(numbersPerPath);
  for (let path = 0; path < paths.length; path++) {
    measure(paths[path] ?? "", now, 0);
    const at = path * numbersPerPath;
    for (let number = 0; number < numbersPerPath; number++) {
      if (!Object.is(now[number], numbers[at + number])) return false;
    }
  }
  return true;
}
