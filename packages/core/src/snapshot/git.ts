// What git knows about a directory, by asking the git command. Nothing here writes to a repository,
// not even its index.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseIndex, parseObjects, parseStatus, withoutCredentials } from "./git-output.ts";
import { SnapshotError } from "./snapshot-error.ts";

const MOST_LISTING_BYTES = 512 << 20;
const MOST_DIFF_BYTES = 10 << 20;

/** Where the code comes from, for the record. */
export interface GitFacts {
  /** Absent before the first commit. */
  readonly commit: string | undefined;
  /** Absent when HEAD is detached. */
  readonly branch: string | undefined;
  /** URL without credentials; absent when there is none. */
  readonly remote: string | undefined;
  /** Tracked files differ from the commit. */
  readonly dirty: boolean;
  /** Files that are neither tracked nor ignored, as far as they are code. */
  readonly untracked: number;
  readonly submodules: readonly { readonly path: string; readonly commit: string }[];
}

/** What git lists in a directory; paths are relative to it. */
export interface GitListing {
  readonly facts: GitFacts;
  /** Object names of tracked files that git has found unchanged, by path. Made when asked for. */
  readonly clean: () => ReadonlyMap<string, string>;
  /** Tracked files whose content git does not vouch for. */
  readonly changed: readonly string[];
  readonly untracked: readonly string[];
  /** Stands for `clean` whole. */
  readonly index: string;
}

/** Whether a directory lies in a git work tree, as far as looking upwards tells. */
export function isInGit(directory: string): boolean {
  for (let at = directory; ; at = dirname(at)) {
    if (existsSync(join(at, ".git"))) return true;
    if (at === dirname(at)) return false;
  }
}

/** Throws {@link SnapshotError} with git's words when git cannot tell. */
export async function listGit(root: string): Promise<GitListing> {
  const [status, index, prefix, urls] = await Promise.all([
    git(root, [
      ...["--no-optional-locks", "status", "--porcelain=v2", "-z", "--branch"],
      ...["--untracked-files=all", "--ignore-submodules=dirty", "--", ".", ":(exclude).flow"],
    ]),
    git(root, ["ls-files", "-z", "-s", "-v"]),
    existsSync(join(root, ".git")) ? "" : git(root, ["rev-parse", "--show-prefix"]),
    git(root, ["config", "--get-regexp", "^remote\\..*\\.url$"]).catch(() => ""),
  ]);
  const { branch, commit, changed, untracked } = parseStatus(status, prefix.replace(/\n$/, ""));
  const { unwatched, submodules } = parseIndex(index);
  const notClean = new Set([...changed, ...unwatched]);
  const facts: GitFacts = {
    commit,
    branch,
    remote: remoteOf(urls),
    dirty: changed.length > 0,
    untracked: untracked.length,
    submodules,
  };
  const own: GitListing = {
    facts,
    clean: () => new Map([...parseObjects(index)].filter(([path]) => !notClean.has(path))),
    changed: [...notClean],
    untracked: untracked.filter((path) => !path.endsWith("/")),
    index,
  };
  const nested = [
    ...submodules.map(({ path }) => path),
    ...untracked.filter((path) => path.endsWith("/")).map((path) => path.slice(0, -1)),
  ].filter((path) => existsSync(join(root, path, ".git")));
  return nested.length === 0 ? own : withNested(root, own, nested);
}

/** Adds what the repositories inside this one list: their files are code like all others. */
async function withNested(
  root: string,
  own: GitListing,
  nested: readonly string[],
): Promise<GitListing> {
  let whole = own;
  for (const path of nested) {
    const inner = await listGit(join(root, path));
    const below = (name: string): string => `${path}/${name}`;
    whole = {
      facts: { ...whole.facts, dirty: whole.facts.dirty || inner.facts.dirty },
      clean: both(whole.clean, () => renamed(inner.clean(), below)),
      changed: [...whole.changed, ...inner.changed.map(below)],
      untracked: [...whole.untracked, ...inner.untracked.map(below)],
      index: `${whole.index}\0${path}\0${inner.index}`,
    };
  }
  return whole;
}

type Objects = ReadonlyMap<string, string>;

const both = (a: () => Objects, b: () => Objects) => (): Objects => new Map([...a(), ...b()]);

const renamed = (objects: Objects, name: (path: string) => string): Objects =>
  new Map([...objects].map(([path, object]) => [name(path), object]));

function remoteOf(text: string): string | undefined {
  const lines = text.split("\n").filter((line) => line.includes(" "));
  const line = lines.find((one) => one.startsWith("remote.origin.url ")) ?? lines[0];
  return line === undefined ? undefined : withoutCredentials(line.slice(line.indexOf(" ") + 1));
}

/** How tracked files differ from the commit; undefined when git cannot say in a few megabytes. */
export async function diffOf(root: string): Promise<Buffer | undefined> {
  const options = ["--no-ext-diff", "--no-textconv", "--no-color", "--binary", "--full-index"];
  return run(root, ["diff", ...options, "HEAD", "--", "."], MOST_DIFF_BYTES).catch(() => undefined);
}

const git = async (root: string, args: readonly string[]): Promise<string> =>
  (await run(root, args, MOST_LISTING_BYTES)).toString("utf8");

/** Variables by which a surrounding git command (a hook) would make ours look at its repository. */
const MISLEADING = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"];

function run(root: string, args: readonly string[], maxBuffer: number): Promise<Buffer> {
  const env: NodeJS.ProcessEnv = { ...process.env, LC_ALL: "C", GIT_OPTIONAL_LOCKS: "0" };
  for (const name of MISLEADING) delete env[name];
  return new Promise((resolve, reject) => {
    const options = { cwd: root, env, maxBuffer, encoding: "buffer" as const };
    execFile("git", args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else {
        const words = stderr.toString("utf8").trim().split("\n")[0] || error.message;
        reject(new SnapshotError(`git cannot tell what belongs to the code: ${words}`));
      }
    });
  });
}
