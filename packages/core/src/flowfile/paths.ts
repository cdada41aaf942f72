// Paths of a flow file: relative to the file, normalised, kept relative to the project root.

import { isAbsolute, join, normalize, relative } from "node:path/posix";

export interface ResolvedPath {
  /** Relative to the root, or absolute when it was written so and lies outside; no trailing slash. */
  readonly path: string;
  /** Was written with a trailing slash. */
  readonly isDirectory: boolean;
  readonly isOutside: boolean;
}

/** `text` as written in a file whose folder is `folder` (relative to the absolute `root`). */
export function resolvePath(text: string, folder: string, root: string): ResolvedPath {
  if (folder === "" && PLAIN.test(text))
    return { path: text, isDirectory: false, isOutside: false };
  const isDirectory = text.endsWith("/") || text === "." || text === ".." || text.endsWith("/..");
  let path: string;
  if (isAbsolute(text)) {
    const inside = relative(root, normalize(text));
    path = inside.startsWith("..") ? normalize(text) : inside === "" ? "." : inside;
  } else {
    path = folder === "" ? normalize(text) : join(folder, text);
    // The file lies beside the root: a way out of its folder may lead into the root again.
    const inside = path.startsWith("..") ? relative(root, join(root, path)) : "..";
    if (!inside.startsWith("..")) path = inside === "" ? "." : inside;
  }
  if (path.length > 1 && path.endsWith("/")) path = path.slice(0, -1);
  return {
    path,
    isDirectory,
    isOutside: isAbsolute(path) || path === ".." || path.startsWith("../"),
  };
}

/** Nothing in it to normalise, which is worth asking first: most paths are so. */
const PLAIN = /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/;

/** Does a path mean a pattern? `{path: …}` is how to write a name that looks like one. */
export const isGlob = (path: string): boolean => /[*?[{]/.test(path);
