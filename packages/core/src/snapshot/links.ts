// Where links in a tree lead. A link is followed as the kernel would, through other links of the
// tree; the mere text of `a/../../x` does not tell whether it stays inside.

import type { Manifest } from "./manifest.ts";
import { SnapshotError } from "./snapshot-error.ts";

/** Links followed before a path counts as a loop; the kernel gives up there too. */
const MOST_HOPS = 40;

/** Links that lead out of the tree or to nowhere that can be told, in order of paths. */
export function escapingLinks(manifest: Manifest): readonly string[] {
  const links = new Map<string, string>();
  for (const { path, kind, content } of manifest) if (kind === "link") links.set(path, content);
  return [...links.keys()].filter((path) => !staysInside(path, links));
}

/** Throws when a link leads out of the tree: on another machine it would show something else. */
export function refuseEscapingLinks(manifest: Manifest): void {
  const escaping = escapingLinks(manifest);
  if (escaping.length === 0) return;
  throw new SnapshotError(
    `the code cannot be sent elsewhere: ${escaping.map((path) => `\`${path}\``).join(", ")} ${
      escaping.length === 1 ? "is a link that leads" : "are links that lead"
    } out of the project. Leave ${escaping.length === 1 ? "it" : "them"} out with \`code: {omit: [${escaping.join(", ")}]}\` or in .flowignore.`,
  );
}

function staysInside(path: string, links: ReadonlyMap<string, string>): boolean {
  const pending = path.split("/").reverse();
  const at: string[] = [];
  let hops = 0;
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (at.pop() === undefined) return false;
      continue;
    }
    const text = links.get([...at, part].join("/"));
    if (text === undefined) at.push(part);
    else if (text.startsWith("/") || ++hops > MOST_HOPS) return false;
    else pending.push(...text.split("/").reverse());
  }
  return true;
}
