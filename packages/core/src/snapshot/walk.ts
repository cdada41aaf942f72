// Finds the files of a directory that git does not list for us.

import type { FileSystem } from "../ports/file-system.ts";
import type { CodeRules } from "./rules.ts";

/** Every file and link that counts as code, in a project without git. Links are not followed. */
export const walkAll = (root: string, rules: CodeRules, files: FileSystem): readonly string[] =>
  walk(
    root,
    files,
    (path) => !rules.prunes(path),
    (path) => rules.selects(path, false),
  );

/** Every file and link that `code.include` names. */
export const walkIncluded = (
  root: string,
  rules: CodeRules,
  files: FileSystem,
): readonly string[] =>
  rules.selection.include.length === 0
    ? []
    : walk(
        root,
        files,
        (path) => rules.mayInclude(path),
        (path) => rules.includes(path),
      );

function walk(
  root: string,
  files: FileSystem,
  enters: (directory: string) => boolean,
  takes: (path: string) => boolean,
): readonly string[] {
  const found: string[] = [];
  const pending = [""];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    for (const { name, kind } of files.list(`${root}/${parent}`) ?? []) {
      const path = parent === "" ? name : `${parent}/${name}`;
      if (kind === "directory") {
        if (enters(path)) pending.push(path);
      } else if (kind !== "other" && takes(path)) found.push(path);
    }
  }
  return found;
}
