// What a code tree holds, as text with one form only: the same files give the same bytes, and the
// digest of those bytes names the tree. Reading trusts nothing, because a manifest decides where
// files are written.

import { sha256 } from "../trace/fingerprint.ts";
import { SnapshotError } from "./snapshot-error.ts";

/** SHA-256 of a tree's manifest, in hex. */
export type TreeId = string;

/** A file or a link in a tree. */
export interface CodeEntry {
  /** Relative to the tree's root, with `/`. */
  readonly path: string;
  readonly kind: "file" | "executable" | "link";
  /** Bytes of the content, or of the link's text. */
  readonly size: number;
  /** SHA-256 of a file's content in hex; the text of a link. */
  readonly content: string;
}

/** Entries in order of their paths, each path once. */
export type Manifest = readonly CodeEntry[];

const HEAD = '{"format":1,"entries":[';
const TAIL = "]}\n";

/** The manifest's only text. Entries may come in any order. */
export function encodeManifest(entries: Manifest): string {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));
  const lines = sorted.map(({ path, kind, size, content }) =>
    JSON.stringify([path, kind, size, content]),
  );
  return `${HEAD}\n${lines.join(",\n")}\n${TAIL}`;
}

export const treeOf = (text: string): TreeId => sha256(text);

/** Reads what {@link encodeManifest} wrote. Throws when the text is not that of `tree` or not safe to write out. */
export function parseManifest(tree: TreeId, text: string): Manifest {
  if (treeOf(text) !== tree) {
    throw new SnapshotError(
      `the list of files of code tree ${tree} is damaged; delete .flow/trees/${tree}.json and run again`,
    );
  }
  const { entries } = JSON.parse(text) as {
    entries: [string, CodeEntry["kind"], number, string][];
  };
  const manifest = entries.map(([path, kind, size, content]) => ({ path, kind, size, content }));
  const problem = unsafe(manifest);
  if (problem !== undefined) throw new SnapshotError(`code tree ${tree} ${problem}`);
  return manifest;
}

/** Why these entries must not be written anywhere; undefined when they may. */
function unsafe(manifest: Manifest): string | undefined {
  const solid = new Set<string>();
  let before = "";
  for (const { path, kind, content } of manifest) {
    const parts = path.split("/");
    if (path.includes("\0") || parts.some((part) => part === "" || part === "." || part === "..")) {
      return `holds the path ${JSON.stringify(path)}, which leads elsewhere`;
    }
    if (before !== "" && path <= before) return `lists \`${path}\` twice or out of order`;
    if (parts.some((_, at) => at > 0 && solid.has(parts.slice(0, at).join("/")))) {
      return `holds \`${path}\` below something that is no directory`;
    }
    if (kind !== "link" && !/^[0-9a-f]{64}$/.test(content)) return `has no digest for \`${path}\``;
    solid.add(path);
    before = path;
  }
  return undefined;
}

/** A file that differs between two trees; absent `old` or `new`: there was or is none. */
export interface CodeChange {
  readonly path: string;
  readonly old: CodeEntry | undefined;
  readonly new: CodeEntry | undefined;
}

/** What differs between two trees, in order of paths. */
export function diffManifests(before: Manifest, after: Manifest): readonly CodeChange[] {
  const old = new Map(before.map((entry) => [entry.path, entry]));
  const now = new Map(after.map((entry) => [entry.path, entry]));
  return [...new Set([...old.keys(), ...now.keys()])].sort().flatMap((path): CodeChange[] => {
    const [a, b] = [old.get(path), now.get(path)];
    return a?.kind === b?.kind && a?.content === b?.content ? [] : [{ path, old: a, new: b }];
  });
}
