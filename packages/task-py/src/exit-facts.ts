// What a runner's result means in flow's own units and words, the same for every backend whose nodes
// it runs on.

import { constants } from "node:os";
import type { ExitRecord } from "./results.ts";

/** What an {@link ExitRecord} says in flow's own units and words. Absent members are not known. */
export interface ExitFacts {
  readonly code: number;
  /** `SIGKILL` for 9. */
  readonly signal: string | undefined;
  /** Index of the action that gave the code; absent when none was started or all ended well. */
  readonly action: number | undefined;
  /** The reason of the stop request, where a time limit is a deadline too; absent when none came. */
  readonly stopped: string | undefined;
  readonly durationMs: number | undefined;
  readonly usage:
    | {
        readonly cpuSeconds: number | undefined;
        readonly peakMemoryBytes: number | undefined;
        readonly gpuPeakMemoryBytes: undefined;
      }
    | undefined;
  /** A sentence about what kept the runner from its work. */
  readonly detail: string | undefined;
}

/** The facts of a result, as far as the runner alone can tell them. */
export function factsOf(record: ExitRecord): ExitFacts {
  const { code, signal, action, stopped, wallSeconds, error } = record;
  return {
    code,
    signal: Object.entries(constants.signals).find(([, number]) => number === signal)?.[0],
    action: action === 0 || code === 0 ? undefined : action - 1,
    stopped: stopped === "timeout" ? "deadline" : stopped,
    durationMs: wallSeconds === undefined ? undefined : wallSeconds * 1000,
    usage: usageOf(record),
    detail: error === undefined ? undefined : (ERRORS[error] ?? ERRORS["system"]),
  };
}

function usageOf({ userSeconds, systemSeconds, maxRssKib }: ExitRecord): ExitFacts["usage"] {
  const cpuSeconds =
    userSeconds === undefined || systemSeconds === undefined
      ? undefined
      : Math.round((userSeconds + systemSeconds) * 100) / 100;
  const peakMemoryBytes = maxRssKib === undefined ? undefined : maxRssKib * 1024;
  return cpuSeconds === undefined && peakMemoryBytes === undefined
    ? undefined
    : { cpuSeconds, peakMemoryBytes, gpuPeakMemoryBytes: undefined };
}

const ERRORS: Readonly<Record<string, string>> = {
  spec: "The runner could not read the attempt's specification on the node.",
  cwd: "The working directory is missing or closed on the node.",
  stdin: "The file for the standard input is missing or closed on the node.",
  dirs: "A directory could not be made on the node.",
  system: "The node could not start a process or write a file.",
};
