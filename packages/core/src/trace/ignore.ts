// What does not count as content of a directory.

import { compileGlob } from "../graph/glob.ts";

const builtIn: readonly string[] = ["__pycache__", ".git", ".ipynb_checkpoints", "*.pyc", ".flow"];

/** Tells whether a path is left out; `name` is its last segment. */
export type Ignore = (path: string, name: string) => boolean;

/**
 * Patterns with a slash (other than a last one) match paths relative to the root, others match the
 * name of a file or directory at any depth.
 */
export function compileIgnore(patterns: readonly string[]): Ignore {
  const names = new Set<string>();
  const onName: ((name: string) => boolean)[] = [];
  const onPath: ((path: string) => boolean)[] = [];
  for (const pattern of [...builtIn, ...patterns]) {
    const text = pattern.replace(/\/$/, "");
    if (text.includes("/")) onPath.push(compileGlob(text.replace(/^\//, "")).matches);
    else if (/[*?[{]/.test(text)) onName.push(compileGlob(text).matches);
    else names.add(text);
  }
  return (path, name) =>
    names.has(name) ||
    onName.some((matches) => matches(name)) ||
    onPath.some((matches) => matches(path));
}
