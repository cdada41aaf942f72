// Reads what git prints for programs. Pure.

/** `git status --porcelain=v2 -z --branch`, with paths relative to where it was asked. */
export interface GitStatus {
  readonly commit: string | undefined;
  readonly branch: string | undefined;
  /** Tracked paths that differ from the commit, in the index or on disk. */
  readonly changed: readonly string[];
  /** A last `/` marks a repository of its own. */
  readonly untracked: readonly string[];
}

/** Fields before the path, by kind of record. */
const FIELDS: Readonly<Record<string, number>> = { "1": 8, "2": 9, u: 10 };

/** `prefix`: the directory it was asked in, relative to the repository's top, with a last `/`. */
export function parseStatus(text: string, prefix: string): GitStatus {
  const changed: string[] = [];
  const untracked: string[] = [];
  let commit: string | undefined;
  let branch: string | undefined;
  const local = (path: string): readonly string[] =>
    path.startsWith(prefix) ? [path.slice(prefix.length)] : [];
  const records = text.split("\0");
  for (let at = 0; at < records.length; at++) {
    const record = records[at] ?? "";
    const kind = record[0] ?? "";
    const fields = FIELDS[kind];
    if (record.startsWith("# branch.oid ")) commit = known(record.slice(13));
    else if (record.startsWith("# branch.head ")) branch = known(record.slice(14));
    else if (kind === "?") untracked.push(...local(record.slice(2)));
    else if (fields !== undefined) {
      changed.push(...local(record.split(" ").slice(fields).join(" ")));
      if (kind === "2") changed.push(...local(records[++at] ?? ""));
    }
  }
  return { commit, branch, changed, untracked };
}

const known = (value: string): string | undefined => (value.startsWith("(") ? undefined : value);

/** `git ls-files -z -s -v`, as far as it is out of the ordinary. */
export interface GitIndex {
  /** Files git was told not to look at (assume-unchanged, skip-worktree). */
  readonly unwatched: readonly string[];
  readonly submodules: readonly { readonly path: string; readonly commit: string }[];
}

/** Quick on a long text: ordinary records are passed over. */
export function parseIndex(text: string): GitIndex {
  const unwatched: string[] = [];
  const submodules: { path: string; commit: string }[] = [];
  for (const record of text.split("\0")) {
    const isOrdinary = record.startsWith("H 1") && !record.startsWith(SUBMODULE, 2);
    const parsed = isOrdinary ? undefined : parseRecord(record);
    if (parsed === undefined) continue;
    const { path, mode, object } = parsed;
    if (mode === SUBMODULE) submodules.push({ path, commit: object });
    else unwatched.push(path);
  }
  return { unwatched, submodules };
}

/** Names of the contents of all files in `git ls-files -z -s -v`, by path. */
export function parseObjects(text: string): Map<string, string> {
  const objects = new Map<string, string>();
  for (const record of text.split("\0")) {
    const parsed = parseRecord(record);
    if (parsed !== undefined && parsed.mode !== SUBMODULE) objects.set(parsed.path, parsed.object);
  }
  return objects;
}

const SUBMODULE = "160000";

function parseRecord(record: string): { path: string; mode: string; object: string } | undefined {
  const tab = record.indexOf("\t");
  if (tab < 0) return undefined;
  const [, mode = "", object = ""] = record.slice(0, tab).split(" ");
  return { path: record.slice(tab + 1), mode, object };
}

/** A remote's URL without user, password and query, which may be tokens. */
export function withoutCredentials(url: string): string {
  const parts = /^([a-z][a-z0-9+.-]*:\/\/)([^/]*@)?([^?#]*)/i.exec(url);
  if (parts === null) return url;
  const [, scheme = "", login = "", rest = ""] = parts;
  const isSsh = /ssh/i.test(scheme);
  const user = isSsh && login !== "" ? `${login.slice(0, -1).split(":")[0]}@` : "";
  return `${scheme}${user}${rest}`;
}
