// Digests of what lies at a path, read as rarely as is safe: an unchanged stat signature vouches for
// a digest that is already known, and only where that fails is content read. A signature that is
// younger than a tick of the file system's clock vouches for nothing.

import type { FileStat, FileSystem } from "../ports/file-system.ts";
import { whyUnreadable } from "../ports/system-error.ts";
import { sha256 } from "./fingerprint.ts";
import { compileIgnore, type Ignore } from "./ignore.ts";
import { digestKeys, type KeyValues } from "./keys.ts";
import type { InputProblem } from "./trace.ts";
import { absent } from "./trace.ts";
import { join, type TreeEntry, walkTree } from "./tree.ts";
import { compareManifests, type FileChange, TreeCache } from "./tree-cache.ts";

/** A digest with the signature that stands for it; "" when it cannot. */
export interface Known {
  readonly digest: string;
  readonly signature: string;
}

/** What was found at a path. */
export interface Found extends Known {
  readonly kind: "file" | "directory";
  /** Bytes of a file, number of entries of a directory. */
  readonly size: number;
  /** Unix nanoseconds of its youngest change, of anything in a directory. */
  readonly changedNs: bigint;
  readonly values?: KeyValues;
}

/** What counts as the content of a path. */
export type Check = "content" | "mtime" | "size" | "keys";

export interface DigesterOptions {
  /** Absolute project root. */
  readonly root: string;
  readonly fileSystem: FileSystem;
  /** Unix milliseconds, to tell signatures that are too young to be trusted. */
  readonly wall: () => number;
  readonly sleep: (milliseconds: number) => Promise<unknown>;
  /** The project's patterns of what is no content of a directory. */
  readonly ignore: readonly string[];
}

const emptyDigest = sha256("");
const smallBytes = 1 << 16;
const largeBytes = 1 << 20;
const maximumTries = 3;
/** File systems stamp times with the kernel's clock, which ticks every 1 to 10 ms. */
const fineTickNs = 20_000_000n;
const coarseTickNs = 2_000_000_000n;
const secondNs = 1_000_000_000n;
const filesBetweenBreaths = 256;

/** Looks at paths; remembers what it saw, so that many tasks sharing an input read it once. */
export class Digester {
  readonly #options: DigesterOptions;
  readonly #ignore: Ignore;
  readonly #known = new Map<string, Known>();
  readonly #trees: TreeCache;
  readonly #changes = new Map<string, { old: string; files: readonly FileChange[] }>();
  readonly #underWay = new Map<string, Promise<Found | InputProblem | undefined>>();
  /** Absolute path → signature; "" where nothing is; undefined where it cannot be trusted. */
  readonly looked: Map<string, string | undefined> = new Map();

  constructor(options: DigesterOptions) {
    this.#options = options;
    this.#ignore = compileIgnore(options.ignore);
    this.#trees = new TreeCache(options.fileSystem, join(options.root, ".flow/cache/trees"));
  }

  /** Keeps the digests of files in directories for the next run. For whoever may write. */
  save(): void {
    this.#trees.save();
  }

  /** Files by which a directory differs from when it had this digest; undefined: not known. */
  changesIn(path: string, old: string | undefined): readonly FileChange[] | undefined {
    const changes = this.#changes.get(this.absolute(path));
    return changes?.old === old ? changes?.files : undefined;
  }

  /** Whether this path is no content. */
  ignores(path: string, name: string): boolean {
    return this.#ignore(path, name);
  }

  /**
   * What lies at a path (relative to the root, or absolute). Undefined when nothing does. `known`
   * is what a record says of it.
   */
  async look(
    path: string,
    check: Check = "content",
    known?: Known,
    keys: readonly string[] = [],
  ): Promise<Found | InputProblem | undefined> {
    const full = this.absolute(path);
    const task = `${check}\0${full}\0${keys.join("\0")}`;
    const waiting = this.#underWay.get(task);
    if (waiting !== undefined) return waiting;
    const answer = this.#lookAt(full, path, check, known, keys).catch((error: unknown) =>
      unreadable(path, error),
    );
    this.#underWay.set(task, answer);
    try {
      return await answer;
    } finally {
      this.#underWay.delete(task);
    }
  }

  /** What lies here (relative to the root) must be looked at anew next time, whatever its signature. */
  distrust(path: string): void {
    this.looked.set(this.absolute(path), undefined);
  }

  /** Remembers directories that were only listed: a change of their entries matters. */
  noteDirectories(directories: readonly string[]): void {
    for (const full of directories) this.noteFile(full);
  }

  /** Remembers a path (absolute) that was read by other means, as it is now. */
  noteFile(full: string): void {
    const stat = this.#options.fileSystem.stat(full);
    const isTrusted = stat === undefined || this.#ripensInMs(stat) === 0;
    this.#note(full, isTrusted ? (stat?.signature ?? "") : undefined);
  }

  /** The absolute path of one that is relative to the root. */
  absolute(path: string): string {
    return path.startsWith("/") ? path : join(this.#options.root, path);
  }

  async #lookAt(
    full: string,
    path: string,
    check: Check,
    known: Known | undefined,
    keys: readonly string[],
  ): Promise<Found | InputProblem | undefined> {
    const stat = this.#options.fileSystem.stat(full);
    if (stat === undefined) {
      this.#note(full, "");
      return undefined;
    }
    if (stat.kind === "directory") return this.#lookAtDirectory(full, path, check, known);
    if (stat.kind !== "file") {
      return {
        kind: "unreadable",
        path,
        message: `\`${path}\` is neither a file nor a directory.`,
      };
    }
    if (check === "mtime" || check === "size") {
      this.#note(full, stat.signature);
      const digest = check === "mtime" ? `mtime:${stat.mtimeNs}` : `size:${stat.size}`;
      const { size, signature, changedNs } = stat;
      return { kind: "file", size, digest, signature, changedNs };
    }
    const memory = check === "keys" ? `${full}\0${keys.join("\0")}` : full;
    const remembered = [this.#known.get(memory), known].find(
      (one) => one !== undefined && one.signature === stat.signature,
    );
    if (remembered !== undefined) {
      this.#known.set(memory, remembered);
      this.#note(full, stat.signature);
      return { kind: "file", size: stat.size, ...remembered, changedNs: stat.changedNs };
    }
    const found =
      check === "keys"
        ? await this.#readSteadily(full, path, stat, () => this.#digestKeys(full, path, keys))
        : await this.#readSteadily(full, path, stat, (at) => this.#digestFile(full, at));
    if (found === undefined || "message" in found) return found;
    this.#known.set(memory, found);
    this.#note(full, found.signature === "" ? undefined : found.signature);
    return found;
  }

  /** Reads until the signature is the same before and after; `found` is what it is now. */
  async #readSteadily(
    full: string,
    path: string,
    found: FileStat,
    read: (
      stat: FileStat,
    ) => Promise<{ digest: string; values?: KeyValues } | InputProblem | undefined>,
  ): Promise<Found | InputProblem | undefined> {
    const { fileSystem, sleep } = this.#options;
    let before: FileStat | undefined = found;
    for (let tries = 0; tries < maximumTries; tries++) {
      if (before === undefined) return undefined;
      const youngMs = this.#ripensInMs(before);
      const isWorthWaiting = youngMs > 0 && before.size > largeBytes;
      if (isWorthWaiting) await sleep(youngMs);
      const isTrusted = youngMs === 0 || (isWorthWaiting && this.#ripensInMs(before) === 0);
      const answer = await read(before);
      if (answer === undefined || "message" in answer) return answer;
      const after = fileSystem.stat(full);
      if (after?.signature === before.signature) {
        const signature = isTrusted ? before.signature : "";
        const { size, changedNs } = before;
        return { kind: "file", size, changedNs, ...answer, signature };
      }
      before = after;
    }
    return {
      kind: "changing",
      path,
      message: `\`${path}\` changed while it was being read, ${maximumTries} times in a row; something is still writing it.`,
    };
  }

  /** Milliseconds until a change could no longer hide behind this signature. */
  #ripensInMs({ changedNs }: { readonly changedNs: bigint }): number {
    const tick = changedNs % secondNs === 0n ? coarseTickNs : fineTickNs;
    const nowNs = BigInt(Math.floor(this.#options.wall() * 1000)) * 1000n;
    const left = changedNs + tick - nowNs;
    return left <= 0n
      ? 0
      : Math.min(Number(left / 1_000_000n) + 1, Number(coarseTickNs / 1_000_000n));
  }

  async #digestFile(full: string, stat: FileStat): Promise<{ digest: string } | undefined> {
    const { fileSystem, root } = this.#options;
    // Outside, in /proc for one, there are files of size 0 that are not empty.
    if (stat.size === 0 && full.startsWith(`${root}/`)) return { digest: emptyDigest };
    if (stat.size > smallBytes) {
      const digest = await fileSystem.hash(full);
      return digest === undefined ? undefined : { digest };
    }
    const content = fileSystem.read(full);
    return content === undefined ? undefined : { digest: sha256(content) };
  }

  async #digestKeys(
    full: string,
    path: string,
    keys: readonly string[],
  ): Promise<{ digest: string; values: KeyValues } | InputProblem | undefined> {
    const content = this.#options.fileSystem.read(full);
    if (content === undefined) return undefined;
    return digestKeys(path, content, keys);
  }

  async #lookAtDirectory(
    full: string,
    path: string,
    check: Check,
    known: Known | undefined,
  ): Promise<Found | InputProblem | undefined> {
    const entries = walkTree(full, path, this.#ignore, this.#options.fileSystem);
    if (entries === undefined) return undefined;
    const size = entries.length - 1;
    const changedNs = entries.reduce(
      (max, entry) => (entry.changedNs > max ? entry.changedNs : max),
      0n,
    );
    const isTrusted = entries.every((entry) => this.#ripensInMs(entry) === 0);
    const signature = sha256(entries.map(signatureLine).join("\n"));
    for (const entry of entries) {
      if (entry.kind === "link") continue;
      this.#note(join(full, entry.path), isTrusted ? entry.signature : undefined);
    }
    const remembered = [this.#known.get(`${check}\0${full}`), known].find(
      (one) => one !== undefined && one.signature === signature,
    );
    if (remembered !== undefined) return { kind: "directory", size, ...remembered, changedNs };
    const lines: string[] = [];
    const files: [string, Known][] = [];
    const before = check === "content" ? this.#trees.get(full) : undefined;
    for (const [number, entry] of entries.entries()) {
      if (number % filesBetweenBreaths === filesBetweenBreaths - 1) await breathe();
      if (entry.kind === "file" && check === "content") {
        const at = { full: join(full, entry.path), path: join(path, entry.path) };
        const file = await this.#lookAt(at.full, at.path, check, before?.files[entry.path], []);
        if (file !== undefined && "message" in file) return file;
        const { digest, signature: fileSignature } = file ?? { digest: absent, signature: "" };
        files.push([entry.path, { digest, signature: fileSignature }]);
        lines.push(`file ${JSON.stringify(entry.path)} ${digest}`);
      } else lines.push(shapeLine(entry, check));
    }
    const digest = sha256(lines.sort().join("\n"));
    if (check === "content") {
      const manifest = { digest, files: Object.fromEntries(files) };
      if (before !== undefined && before.digest !== digest) {
        this.#changes.set(full, { old: before.digest, files: compareManifests(before, manifest) });
      }
      this.#trees.put(full, manifest);
    }
    const found = { digest, signature: isTrusted ? signature : "" };
    this.#known.set(`${check}\0${full}`, found);
    return { kind: "directory", size, ...found, changedNs };
  }

  /** Remembers for the record of what was looked at; two different answers cancel each other. */
  #note(full: string, signature: string | undefined): void {
    const earlier = this.looked.get(full);
    const isNew = earlier === undefined && !this.looked.has(full);
    this.looked.set(full, isNew || earlier === signature ? signature : undefined);
  }
}

const signatureLine = ({ kind, path, signature, link }: TreeEntry): string =>
  `${kind} ${JSON.stringify(path)} ${signature} ${link ?? ""}`;

/** What an entry whose content is not read adds to the digest of its directory. */
function shapeLine({ kind, path, link, mtimeNs, size }: TreeEntry, check: Check): string {
  const line = `${kind} ${JSON.stringify(path)}`;
  if (kind === "link") return `${line} ${JSON.stringify(link)}`;
  if (kind !== "file") return line;
  return `${line} ${check === "mtime" ? mtimeNs : size}`;
}

const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Something is there, or may be, that cannot be looked at. */
export function unreadable(path: string, error: unknown): InputProblem {
  return {
    kind: "unreadable",
    path,
    message: `\`${path}\` cannot be read: ${whyUnreadable(error)}.`,
  };
}
