// Folders under `.flow/` in which a task runs apart from the project: with the code of an attempt and
// links to what it reads.

import { rmSync } from "node:fs";
import {
  type AttemptRecord,
  type CodeState,
  type CodeTree,
  checkOut,
  err,
  type Layout,
  linkInputs,
  ok,
  type Result,
  SnapshotError,
} from "@flow/core";

/** Makes `folder` (absolute) anew. The error is a sentence. */
export function makeSandbox(
  folder: string,
  { tree }: Pick<CodeState, "tree">,
  record: Pick<AttemptRecord, "inputs" | "root">,
  places: Layout,
): Result<void, string> {
  removeSandbox(folder);
  try {
    checkOut(places, tree, folder);
  } catch (error) {
    if (error instanceof SnapshotError) return err(error.message);
    throw error;
  }
  const missing = linkInputs(record, folder);
  if (missing.length === 0) return ok(undefined);
  removeSandbox(folder);
  return err(`${missing.join(", ")} is neither in the captured code nor in the project any more`);
}

export const removeSandbox = (folder: string): void =>
  rmSync(folder, { recursive: true, force: true });

/** What a run says of code that was captured earlier. */
export const knownTree = ({ tree, git, diff }: CodeState): CodeTree => ({
  tree,
  files: 0,
  bytes: 0,
  git,
  diff,
  changed: [],
});
