// Takes down the code of a project as it is now: which files count, what they hold, what git knows.
// git's index vouches for tracked files it finds unchanged; all others are vouched for by their own
// stat signatures, and only where neither does is content read.

import { createHash } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { type Layout, layout } from "../engine/layout.ts";
import type { Task } from "../model/task.ts";
import { nodeFileSystem } from "../ports/node/file-system.ts";
import { sha256 } from "../trace/fingerprint.ts";
import { diffOf, type GitFacts, isInGit } from "./git.ts";
import { CODE_LIMITS, type CodeLimits, oversize } from "./limits.ts";
import { keyOf, type Listing, type Look, listCode, lookAtCode } from "./listing.ts";
import { type CodeEntry, encodeManifest, type TreeId, treeOf } from "./manifest.ts";
import { CodeRules } from "./rules.ts";
import { SnapshotError } from "./snapshot-error.ts";
import { type FilesMemory, type KnownFile, StatCache } from "./stat-cache.ts";
import { hasTree, objectPath, putFile, putObject, putTree, SMALL_BYTES } from "./store.ts";

export interface CaptureRequest {
  /** Absolute project root; the tree is stored in its `.flow/`. */
  readonly root: string;
  /** `code:` of the flow file. */
  readonly code: { readonly include: readonly string[]; readonly omit: readonly string[] };
  /** What tasks make, relative to the root: never code. See {@link productsOf}. */
  readonly products: readonly string[];
  /** @default 10 MB a file, 200 MB in all */
  readonly limits?: CodeLimits;
  /** Unix milliseconds, to tell files that are too young to vouch for themselves. @default Date.now */
  readonly wall?: () => number;
}

/** The code of a project at one moment. */
export interface CodeTree {
  readonly tree: TreeId;
  readonly files: number;
  readonly bytes: number;
  /** Absent outside git. */
  readonly git: GitFacts | undefined;
  /** Digest of the stored `git diff HEAD`; absent when clean, not kept, or too large. */
  readonly diff: string | undefined;
  /**
   * Files of the look before that have changed or gone since; undefined when that is not known.
   * Of the first look: empty.
   */
  readonly changed: readonly string[] | undefined;
}

/** Files read between two breaths of the event loop. */
const READS_PER_BREATH = 64;

/** A file younger than this may change once more under the same signature, on coarse file systems. */
const YOUNG_MS = 2000;

/** Captures one project, again and again if need be. */
export class CodeCapturer {
  readonly #request: CaptureRequest;
  readonly #layout: Layout;
  readonly #cache: StatCache;
  #last: TreeId | undefined;

  constructor(request: CaptureRequest) {
    this.#request = request;
    this.#layout = layout(request.root);
    this.#cache = new StatCache(nodeFileSystem, this.#layout.cache);
  }

  /**
   * The code as it is now. With `keep` contents are stored, too. Rejects with {@link SnapshotError}
   * when it is too large or git refuses.
   */
  async capture(keep: boolean): Promise<CodeTree> {
    const { root, code, products } = this.#request;
    const flowignore = nodeFileSystem.read(`${root}/.flowignore`);
    const rules = new CodeRules({
      ...code,
      products,
      flowignore: flowignore === undefined ? "" : Buffer.from(flowignore).toString("utf8"),
    });
    const listing = await listCode(root, rules);
    const memory = this.#cache.tree();
    const known = memory === undefined ? undefined : keyOf(root, rules, listing, memory.converted);
    const isKnown =
      memory !== undefined && known === memory.key && (!keep || hasTree(this.#layout, memory.tree));
    const found = isKnown
      ? {
          ...memory,
          changed: this.#last === undefined || this.#last === memory.tree ? [] : undefined,
        }
      : await this.#read(rules, listing, keep);
    this.#last = found.tree;
    const { tree, files, bytes, changed } = found;
    const diff = keep ? await this.#keepDiff(listing.git?.facts) : undefined;
    return { tree, files, bytes, changed, diff, git: listing.git?.facts };
  }

  /** Looks at every file, reads what has changed, and remembers the outcome. */
  async #read(
    rules: CodeRules,
    listing: Listing,
    keep: boolean,
  ): Promise<Pick<CodeTree, "tree" | "files" | "bytes" | "changed">> {
    const { root, limits, wall = Date.now } = this.#request;
    const begun = wall();
    const looks = lookAtCode(root, rules, listing);
    const problem = oversize(
      looks.map(({ path, stat }) => ({ path, size: stat.size, included: rules.includes(path) })),
      limits ?? CODE_LIMITS,
    );
    if (problem !== undefined) throw new SnapshotError(problem);
    const before = this.#cache.files();
    const files: KnownFile[] = [];
    let reads = 0;
    for (const look of looks) {
      const known = before?.files.get(look.path);
      const isSame = known?.signature === look.signature;
      if (!isSame || keep) reads += 1;
      if (reads % READS_PER_BREATH === READS_PER_BREATH - 1) await breathe();
      const file = await this.#readFile(look, isSame ? known : undefined, keep);
      if (file === undefined) continue;
      const isYoung = begun - Math.max(look.stat.mtimeMs, look.stat.ctimeMs) < YOUNG_MS;
      files.push(isYoung ? { ...file, signature: "" } : file);
    }
    const tree = treeOf(encodeManifest(files));
    if (keep) putTree(this.#layout, tree, files);
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    const converted = files.filter((file) => file.converted).map(({ path }) => path);
    const young = new Set(
      files.filter(({ signature }) => signature === "").map(({ path }) => path),
    );
    const vouches = ![...listing.loose, ...converted].some((path) => young.has(path));
    const key = vouches ? keyOf(root, rules, listing, converted) : "";
    this.#cache.save({ key, tree, files: files.length, bytes, converted }, files);
    return { tree, files: files.length, bytes, changed: changedSince(this.#last, before, files) };
  }

  /** Undefined when the file has gone since it was listed. */
  async #readFile(
    look: Look,
    known: KnownFile | undefined,
    keep: boolean,
  ): Promise<KnownFile | undefined> {
    const { path, signature, stat, object } = look;
    const full = `${this.#request.root}/${path}`;
    if (known !== undefined && (!keep || known.kind === "link" || this.#has(known))) return known;
    try {
      if (stat.isSymbolicLink()) {
        const content = readlinkSync(full);
        const size = Buffer.byteLength(content);
        return { path, kind: "link", size, content, signature, converted: false };
      }
      const kind = (stat.mode & 0o100) === 0 ? "file" : "executable";
      if (stat.size > SMALL_BYTES) {
        const content = keep ? await putFile(this.#layout, full) : await nodeFileSystem.hash(full);
        if (content === undefined) return undefined;
        return { path, kind, size: stat.size, content, signature, converted: true };
      }
      const data = readFileSync(full);
      const content = sha256(data);
      if (keep) putObject(this.#layout, content, data);
      const converted = object !== undefined && isConverted(data, object);
      return { path, kind, size: data.length, content, signature, converted };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw new SnapshotError(`\`${path}\` cannot be read as code: ${(error as Error).message}`);
    }
  }

  #has({ content }: CodeEntry): boolean {
    return nodeFileSystem.stat(objectPath(this.#layout, content)) !== undefined;
  }

  async #keepDiff(facts: GitFacts | undefined): Promise<string | undefined> {
    if (facts?.dirty !== true || facts.commit === undefined) return undefined;
    const diff = await diffOf(this.#request.root);
    if (diff === undefined || diff.length === 0) return undefined;
    const digest = sha256(diff);
    putObject(this.#layout, digest, diff);
    return digest;
  }
}

/** Captures and stores the code of a project. Rejects with {@link SnapshotError}. */
export const captureTree = (request: CaptureRequest): Promise<CodeTree> =>
  new CodeCapturer(request).capture(true);

/** Whether code is recorded unasked: in a git work tree, or when `code:` says what it is. */
export const hasCode = ({ root, code }: Pick<CaptureRequest, "root" | "code">): boolean =>
  code.include.length > 0 || code.omit.length > 0 || isInGit(root);

/** What these tasks make, relative to the root: targets, output directories, checkpoints. */
export function productsOf(tasks: readonly Task[]): readonly string[] {
  const paths = tasks.flatMap(({ targets, outputs, checkpoint, values }) => [
    ...targets.map(({ path }) => path),
    ...Object.values(outputs),
    checkpoint?.path ?? "",
    values ?? "",
  ]);
  return [...new Set(paths)].filter((path) => path !== "").sort();
}

/** Files of the look before that are no longer the same; undefined when the cache has forgotten that look. */
function changedSince(
  last: TreeId | undefined,
  before: FilesMemory | undefined,
  files: readonly KnownFile[],
): readonly string[] | undefined {
  if (last === undefined) return [];
  if (before?.tree !== last) return undefined;
  const now = new Map(files.map((file) => [file.path, file]));
  return [...before.files.values()]
    .filter(({ path, kind, content }) => {
      const file = now.get(path);
      return file?.kind !== kind || file.content !== content;
    })
    .map(({ path }) => path);
}

/** What stands in for a file that is fetched later; git keeps both for the same content. */
const STAND_IN = Buffer.from("version https://git-lfs");

/** Whether git may take other bytes for this file, too, without calling it changed. */
function isConverted(data: Buffer, object: string): boolean {
  if (data.subarray(0, STAND_IN.length).equals(STAND_IN)) return true;
  const hash = createHash(object.length === 64 ? "sha256" : "sha1");
  return hash.update(`blob ${data.length}\0`).update(data).digest("hex") !== object;
}

const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
