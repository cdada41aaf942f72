// Names of what flow makes in Azure. They follow from the project, the run and the attempt alone, so
// that whatever is sent twice exists once. All letters are in lower case: the service takes names that
// differ only in case for the same.

import { createHash } from "node:crypto";
import { hostname, userInfo } from "node:os";
import type { AttemptKey, Job } from "@flow/core";

/** Longest id the service takes. */
const MOST_ID = 64;

export const digestOf = (...parts: readonly string[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)} `).update(part);
  return hash.digest("hex");
};

/** Eight hex digits for a project of this user on this machine. */
export const projectName = (root: string): string =>
  digestOf(hostname(), userName(), root).slice(0, 8);

/** Who made something, for people who share an account: `ada@workstation`. */
export const maker = (): string => `${userName()}@${hostname()}`;

/** A container may run as a user that its system has no name for. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user-${process.getuid?.() ?? "unknown"}`;
  }
}

/** How the ids of everything of a project begin. */
export const idPrefix = (project: string): string => `flow-${project}`;

/** Runs that did not say their name are all the same. */
export const jobId = (project: string, run: string | undefined, pool: string): string =>
  `${idPrefix(project)}-${plain(run ?? "none")}-${pool}`.slice(0, MOST_ID - 2);

/** A pool that later runs find again by what its nodes are. */
export const sharedPoolId = (project: string, nodes: string): string =>
  `${idPrefix(project)}-${nodes}`;

export const taskId = (key: AttemptKey): string => key;

export const containerName = (project: string): string => idPrefix(project);

const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9-]/g, "-");

/** Names of the blobs of one attempt. */
export const attemptBlobs = (
  key: AttemptKey,
): Readonly<
  Record<"claim" | "stop" | "state" | "result" | "spec" | "start" | "secrets", string>
> => ({
  claim: `attempts/${key}/claim`,
  stop: `attempts/${key}/stop`,
  state: `attempts/${key}/state.tar.gz`,
  result: `attempts/${key}/result.tar.gz`,
  spec: `attempts/${key}/attempt.tar`,
  start: `attempts/${key}/start.tar.gz`,
  secrets: `attempts/${key}/secrets`,
});

export const attemptPrefix = (key: AttemptKey): string => `attempts/${key}/`;

/**
 * Where everything of an attempt lies on its node, whatever directory the service gives the task. Two
 * copies of a project may have tasks of the same key, and share a node.
 */
export const nodeDirectory = ({ key, paths }: Pick<Job, "key" | "paths">): string =>
  `/tmp/${idPrefix(projectName(paths.root))}-${key}`;
