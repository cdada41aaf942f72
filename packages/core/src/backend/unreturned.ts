// What a backend that brings home only what a task declares could not bring home.

import { compileGlob, isGlob } from "../graph/glob.ts";
import type { Task } from "../model/task.ts";

/**
 * A pattern of files with metrics of which none lies in what the task declares that it makes, so that
 * nobody could say which files to fetch; undefined when there is none.
 */
export function unreturnedMetrics({ metrics, targets, outputs }: Task): string | undefined {
  const made = [...targets.map(({ path }) => path), ...Object.values(outputs)]
    .map((path) => path.replace(/\/+$/, ""))
    .filter((path) => path !== "");
  return metrics
    .flatMap((source) => (source.kind === "jsonl" && isGlob(source.glob) ? [source.glob] : []))
    .find((pattern) => {
      const { base, matches } = compileGlob(pattern);
      return !made.some((path) => matches(path) || `${base}/`.startsWith(`${path}/`));
    });
}
