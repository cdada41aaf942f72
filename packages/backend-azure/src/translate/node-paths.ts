// Where things of this machine lie on a node. Pure.

import type { Job, JobPaths } from "@flow/core";
import { nodeDirectory } from "../naming.ts";

/** Translates absolute paths of this machine; a path that is nowhere in the project stays what it is. */
export type ToNode = (path: string) => string;

export function toNode(job: Pick<Job, "key" | "paths">): ToNode {
  const base = nodeDirectory(job);
  const { paths } = job;
  const places: readonly (readonly [string, string])[] = [
    [`${paths.attempt}/tmp`, `${base}/tmp`],
    [paths.attempt, `${base}/attempt`],
    [paths.checkpoint, `${base}/ckpt`],
    [paths.output, `${base}/out`],
    [paths.root, `${base}/project`],
  ];
  const longestFirst = places.toSorted(([one], [other]) => other.length - one.length);
  return (path) => {
    for (const [local, remote] of longestFirst) {
      if (path === local) return remote;
      if (path.startsWith(`${local}/`)) return remote + path.slice(local.length);
    }
    return path;
  };
}

/** The checkpoint's place in the project, relative to its root; undefined when it has none. */
export function checkpointInProject({ root, checkpoint, output }: JobPaths): string | undefined {
  const isOurs = checkpoint.startsWith(`${root}/.flow/`) || checkpoint.startsWith(`${output}/`);
  return isOurs || !checkpoint.startsWith(`${root}/`)
    ? undefined
    : checkpoint.slice(root.length + 1);
}
