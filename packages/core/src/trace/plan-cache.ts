// A plan that was made once, kept under `.flow/cache/` with everything it was made from, so that an
// unchanged project is planned without reading YAML, checking a schema or building a graph.

import type { Frozen } from "../graph/plan.ts";
import { decodePlan, encodePlan } from "../graph/plan.ts";
import type { FileSystem } from "../ports/file-system.ts";
import { cacheName } from "./cache-name.ts";
import { sha256 } from "./fingerprint.ts";

/** What a plan was made from. */
export interface PlanInputs {
  /** Absolute paths with the SHA-256 of their bytes; undefined for a file that was not there. */
  readonly files: readonly { readonly path: string; readonly digest: string | undefined }[];
  /** Variables that were looked at; undefined: not set. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A plan as it is kept. */
export interface CachedPlan {
  readonly plan: Frozen;
  readonly inputs: PlanInputs;
  /** Rendered warnings of the flow file, to be shown again. */
  readonly warnings: readonly string[];
}

interface Header {
  readonly version: 2;
  readonly request: string;
  readonly files: readonly (readonly [path: string, digest: string | null, signature: string])[];
  readonly env: Readonly<Record<string, string | null>>;
  readonly sources: readonly string[];
  readonly warnings: readonly string[];
}

const keptFiles = 24;

/**
 * The plan kept for this request when everything it was made from is the same and every file it
 * takes for granted is still there; undefined otherwise. Never writes.
 */
export function loadPlan(
  directory: string,
  request: string,
  env: Readonly<Record<string, string | undefined>>,
  fileSystem: FileSystem,
): CachedPlan | undefined {
  const bytes = fileSystem.read(`${directory}/${cacheName("plan", request)}`);
  if (bytes === undefined) return undefined;
  try {
    const text = new TextDecoder().decode(bytes);
    const end = text.indexOf("\n");
    const header = JSON.parse(text.slice(0, end)) as Header;
    if (!isCurrent(header, request, env, fileSystem)) return undefined;
    const files = header.files.map(([path, digest]) => ({ path, digest: digest ?? undefined }));
    const names = Object.entries(header.env);
    const inputs = {
      files,
      env: Object.fromEntries(names.map(([name, value]) => [name, value ?? undefined])),
    };
    return { plan: decodePlan(text.slice(end + 1)), inputs, warnings: header.warnings };
  } catch {
    return undefined;
  }
}

function isCurrent(
  header: Header,
  request: string,
  env: Readonly<Record<string, string | undefined>>,
  fileSystem: FileSystem,
): boolean {
  return (
    header.version === 2 &&
    header.request === request &&
    Object.entries(header.env).every(([name, value]) => (env[name] ?? null) === value) &&
    header.files.every(([path, digest, signature]) => {
      const stat = fileSystem.stat(path);
      if (stat === undefined || digest === null) return stat === undefined && digest === null;
      if (stat.signature === signature) return true;
      return stat.kind === "file" && digestOf(path, fileSystem) === digest;
    }) &&
    header.sources.every((path) => fileSystem.stat(path) !== undefined)
  );
}

function digestOf(path: string, fileSystem: FileSystem): string | undefined {
  const content = fileSystem.read(path);
  return content === undefined ? undefined : sha256(content);
}

/**
 * Keeps a plan. `sources` are the paths (absolute) that must exist because no task makes them. Old
 * files of the cache beyond a few are removed. The directory exists.
 */
export function savePlan(
  directory: string,
  request: string,
  cached: CachedPlan,
  sources: readonly string[],
  fileSystem: FileSystem,
  wall: () => number,
): void {
  const { files, env } = cached.inputs;
  const header: Header = {
    version: 2,
    request,
    files: files.map(({ path, digest }) => [
      path,
      digest ?? null,
      trustedSignature(path, digest, fileSystem, wall),
    ]),
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value ?? null])),
    sources,
    warnings: cached.warnings,
  };
  const text = `${JSON.stringify(header)}\n${encodePlan(cached.plan)}`;
  const path = `${directory}/${cacheName("plan", request)}`;
  const temporary = `${path}.tmp`;
  fileSystem.write(temporary, text);
  fileSystem.rename(temporary, path);
  prune(directory, fileSystem);
}

const tickMs = 2_000;

/** Signature that vouches for the digest; "" when the file is too young for that. */
function trustedSignature(
  path: string,
  digest: string | undefined,
  fileSystem: FileSystem,
  wall: () => number,
): string {
  const stat = fileSystem.stat(path);
  if (stat === undefined || digest === undefined) return "";
  const ageMs = wall() - Number(stat.changedNs / 1_000_000n);
  if (ageMs < tickMs || digestOf(path, fileSystem) !== digest) return "";
  return stat.signature;
}

/** Removes the oldest files of the cache. */
function prune(directory: string, fileSystem: FileSystem): void {
  const files = (fileSystem.list(directory) ?? []).flatMap(({ name, kind }) => {
    if (kind !== "file" || !/^(plan|fresh)-/.test(name)) return [];
    const path = `${directory}/${name}`;
    return [{ path, changedNs: fileSystem.stat(path)?.changedNs ?? 0n }];
  });
  files.sort((one, other) => (one.changedNs < other.changedNs ? 1 : -1));
  for (const { path } of files.slice(keptFiles)) fileSystem.remove(path);
}
