// Arithmetic on normalised relative paths: slashes between segments, none at the ends, no `.`.

/** The directory a path lies in; "" at the top. */
export const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));

/** Whether `path` is `directory` or lies below it; everything lies below "". */
export const isWithin = (path: string, directory: string): boolean =>
  directory === "" || path === directory || path.startsWith(`${directory}/`);

/**
 * Removes `./`, empty segments and what `..` undoes; the result of leaving the top keeps its
 * leading `..`. Absolute paths stay absolute.
 */
export function normalisePath(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment === ".." && kept.length > 0 && kept.at(-1) !== "..") kept.pop();
    else kept.push(segment);
  }
  return (path.startsWith("/") ? "/" : "") + kept.join("/");
}

/**
 * Texts in code unit order, for finding all that begin with a prefix without looking at the others.
 */
export class SortedPaths {
  readonly #paths: readonly string[];

  constructor(paths: Iterable<string>) {
    this.#paths = [...paths].sort();
  }

  /** All that begin with this text, in order. */
  *startingWith(prefix: string): Generator<string> {
    for (let at = this.#firstFrom(prefix); at < this.#paths.length; at++) {
      const path = this.#paths[at] ?? "";
      if (!path.startsWith(prefix)) return;
      yield path;
    }
  }

  #firstFrom(text: string): number {
    let low = 0;
    let high = this.#paths.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#paths[middle] ?? "") < text) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A path of the project (relative to its root) as it is seen from one of its folders. */
export function seenFrom(folder: string, path: string, root: string): string {
  if (folder === "" || folder === "." || path.startsWith("/")) return path;
  const from = normalisePath(`${root}/${folder}`).split("/");
  const to = normalisePath(`${root}/${path}`).split("/");
  let same = 0;
  while (same < from.length && from[same] === to[same]) same += 1;
  return [...from.slice(same).map(() => ".."), ...to.slice(same)].join("/") || ".";
}

/** A path as a program must get it: a leading dash would be taken for an option. */
export const asArgument = (path: string): string => (path.startsWith("-") ? `./${path}` : path);
