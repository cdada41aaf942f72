// Digests of the single files in directories, kept over runs: a directory in which one file changed
// costs reading that file, and the file can be named. It is a cache: losing it costs reading.

import type { FileSystem } from "../ports/file-system.ts";
import type { Known } from "./digest.ts";

/** What a directory held when it was last read. */
export interface Manifest {
  /** Of the whole directory. */
  readonly digest: string;
  /** Regular files by path relative to it. */
  readonly files: Readonly<Record<string, Known>>;
}

/** A file in a directory that is not what it was; absent: there was or is none. */
export interface FileChange {
  readonly path: string;
  readonly old: string | undefined;
  readonly new: string | undefined;
}

/** Manifests by absolute path, in one file with a line for each. */
export class TreeCache {
  readonly #fileSystem: FileSystem;
  readonly #path: string;
  #lines: Map<string, string> | undefined;
  readonly #changes = new Map<string, Manifest>();

  constructor(fileSystem: FileSystem, path: string) {
    this.#fileSystem = fileSystem;
    this.#path = path;
  }

  /** What is known of a directory; undefined when nothing is. Reads the file on first use. */
  get(directory: string): Manifest | undefined {
    const changed = this.#changes.get(directory);
    if (changed !== undefined) return changed;
    this.#lines ??= this.#load();
    const line = this.#lines.get(JSON.stringify(directory));
    return line === undefined ? undefined : parseManifest(line);
  }

  put(directory: string, manifest: Manifest): void {
    this.#changes.set(directory, manifest);
  }

  /** Writes what was put, where there is a directory for it. For whoever may write. */
  save(): void {
    const parent = this.#path.slice(0, this.#path.lastIndexOf("/"));
    if (this.#changes.size === 0 || this.#fileSystem.stat(parent) === undefined) return;
    const lines = this.#load();
    for (const [directory, manifest] of this.#changes) {
      lines.set(JSON.stringify(directory), JSON.stringify(manifest));
    }
    const temporary = `${this.#path}.tmp`;
    const text = [...lines].map(([key, line]) => `${key}\t${line}\n`).join("");
    this.#fileSystem.write(temporary, text);
    this.#fileSystem.rename(temporary, this.#path);
    this.#lines = lines;
    this.#changes.clear();
  }

  #load(): Map<string, string> {
    const bytes = this.#fileSystem.read(this.#path);
    const lines = new TextDecoder().decode(bytes ?? new Uint8Array()).split("\n");
    return new Map(
      lines.flatMap((line) => {
        const tab = line.indexOf("\t");
        return tab < 0 ? [] : [[line.slice(0, tab), line.slice(tab + 1)] as const];
      }),
    );
  }
}

/** Undefined when the line is damaged. */
function parseManifest(line: string): Manifest | undefined {
  try {
    const manifest = JSON.parse(line) as Partial<Manifest> | null;
    const isManifest = typeof manifest?.digest === "string" && typeof manifest.files === "object";
    return isManifest ? (manifest as Manifest) : undefined;
  } catch {
    return undefined;
  }
}

/** Files that differ between two states of a directory, in order of their paths. */
export function compareManifests(before: Manifest, now: Manifest): readonly FileChange[] {
  const paths = [...new Set([...Object.keys(before.files), ...Object.keys(now.files)])].sort();
  return paths.flatMap((path): FileChange[] => {
    const old = before.files[path]?.digest;
    const next = now.files[path]?.digest;
    return old === next ? [] : [{ path, old, new: next }];
  });
}
