// Which files a project's code consists of at the moment, and what vouches for each.

import { createHash } from "node:crypto";
import { lstatSync, type Stats } from "node:fs";
import { nodeFileSystem } from "../ports/node/file-system.ts";
import { type GitListing, isInGit, listGit } from "./git.ts";
import type { CodeRules } from "./rules.ts";
import { SnapshotError } from "./snapshot-error.ts";
import { walkAll, walkIncluded } from "./walk.ts";

/** What may count as code, before anything is looked at. */
export interface Listing {
  /** Absent outside git. Its unchanged files are not selected yet. */
  readonly git: GitListing | undefined;
  /** Selected files that only their own stat signatures vouch for. */
  readonly loose: readonly string[];
}

/** A selected file with its stat. */
export interface Look {
  readonly path: string;
  readonly stat: Stats;
  readonly signature: string;
  /** git's name for the content, where git vouches for it. */
  readonly object: string | undefined;
}

export async function listCode(root: string, rules: CodeRules): Promise<Listing> {
  const git = isInGit(root) ? await listGit(root) : undefined;
  // A project that git ignores as a whole is none of git's business.
  const isListed = git !== undefined && git.index.length + git.untracked.length > 0;
  if (!isListed) return { git: undefined, loose: walkAll(root, rules, nodeFileSystem) };
  const untracked = git.untracked.filter((path) => rules.selects(path, false));
  const changed = git.changed.filter((path) => rules.selects(path, true));
  const loose = new Set([...changed, ...untracked]);
  const included = walkIncluded(root, rules, nodeFileSystem);
  const clean = included.length === 0 ? undefined : git.clean();
  for (const path of included) if (clean?.has(path) !== true) loose.add(path);
  const facts = { ...git.facts, untracked: untracked.length };
  return { git: { ...git, facts }, loose: [...loose].sort() };
}

/** Every selected file that is there, with its stat. */
export function lookAtCode(
  root: string,
  rules: CodeRules,
  { git, loose }: Listing,
): readonly Look[] {
  const looks: Look[] = [];
  const look = (path: string, object: string | undefined): void => {
    const stat = statOf(root, path);
    if (stat === undefined || !(stat.isFile() || stat.isSymbolicLink())) return;
    looks.push({ path, stat, object, signature: signatureOf(stat) });
  };
  for (const path of loose) look(path, undefined);
  for (const [path, object] of git?.clean() ?? [])
    if (rules.selects(path, true)) look(path, object);
  return looks;
}

/** Text that changes whenever the code may have changed. */
export function keyOf(
  root: string,
  rules: CodeRules,
  { git, loose }: Listing,
  converted: readonly string[],
): string {
  const hash = createHash("sha256");
  hash.update(JSON.stringify(rules.selection)).update("\0");
  hash.update(git?.index ?? "").update("\0");
  for (const path of [...loose, ...converted]) {
    const stat = statOf(root, path);
    hash.update(`${path}\0${stat === undefined ? "" : signatureOf(stat)}\0`);
  }
  return hash.digest("hex");
}

function statOf(root: string, path: string): Stats | undefined {
  const stat = lstatSync(`${root}/${path}`, { throwIfNoEntry: false });
  if (stat === undefined && path.includes("\uFFFD")) {
    throw new SnapshotError(
      `the name \`${path}\` is not UTF-8, so the file cannot be kept as code; rename it, or let git ignore it`,
    );
  }
  return stat;
}

const signatureOf = ({ mtimeMs, ctimeMs, size, ino, mode }: Stats): string =>
  `${mtimeMs}.${ctimeMs}.${size}.${ino}.${mode}`;
