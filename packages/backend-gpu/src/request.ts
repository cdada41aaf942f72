// What a task asks of the broker, and the names its profile goes by.

import type { Job, ResourceRequest } from "@flow/core";
import type { lackOf } from "./broker/request.ts";
import { commandKeys, commandNumbers } from "./client/keys.ts";
import type { LeaseRequest } from "./client/lease.ts";
import type { GpuTaskOptions } from "./options.ts";

/** Whether a task wants a GPU at all. */
export const wantsGpu = ({ gpusMilli, gpuMemoryBytes }: ResourceRequest): boolean =>
  (gpusMilli ?? 0) > 0 || (gpusMilli === undefined && gpuMemoryBytes !== undefined);

/** What a task asks for of the cards themselves, whatever else is on them. */
export const demandOf = ({
  gpusMilli = 1000,
  gpuMemoryBytes,
  gpuModel,
}: ResourceRequest): Parameters<typeof lackOf>[0] => ({
  among: undefined,
  model: gpuModel,
  count: Math.ceil(gpusMilli / 1000),
  declaredBytes: gpuMemoryBytes,
});

/** What earlier attempts of a task have shown. */
export interface History {
  /** At least so much, because less was not enough. */
  readonly floorBytes: number;
  /** Attempts in a row that ran out of memory by their own fault. */
  readonly failures: number;
  /** When the first of these attempts asked, on the clock of `now`. */
  readonly askedAt: number;
}

/** Failures after which a task gets its cards alone. */
const TRIES = 2;

export function requestOf(
  job: Job,
  options: GpuTaskOptions,
  among: readonly string[],
  history: History,
  now: number,
): LeaseRequest {
  const { gpusMilli = 1000, gpuMemoryBytes, gpuModel } = job.resources;
  const words = job.actions.flatMap(({ argv }) => wordsOf(argv));
  const alone = options.alone || history.failures >= TRIES;
  return {
    label: job.task,
    keys: options.type === undefined ? keysOf(job, words) : [`type ${options.type}`],
    params: commandNumbers(words),
    gpus: gpusMilli / 1000,
    ...(gpuMemoryBytes === undefined ? {} : { bytes: gpuMemoryBytes }),
    ...(options.load === undefined ? {} : { load: options.load }),
    ...(gpuModel === undefined ? {} : { model: gpuModel }),
    ...(options.linked ? { linked: true } : {}),
    ...(alone ? { alone: true } : {}),
    ...(job.weightMs === undefined ? {} : { weightMs: job.weightMs }),
    floorBytes: history.floorBytes,
    sinceFirstMs: now - history.askedAt,
    ...(among.length === 0 ? {} : { among }),
  };
}

/** This member of the task with this command, the task, the script. */
function keysOf(job: Job, words: readonly string[]): readonly string[] {
  const [exact = "", ...general] = commandKeys(words);
  return [`task ${job.task} ${exact}`, `task ${job.group}`, ...general.slice(-1)].map((key) =>
    key.slice(0, 500),
  );
}

/** The words of a command; a shell's text is split at blanks, which is enough to recognise it. */
function wordsOf(argv: readonly string[]): readonly string[] {
  const isShell = ["sh", "bash"].includes(argv[0] ?? "") && argv.includes("-c");
  return isShell ? (argv.at(-1) ?? "").split(/\s+/).filter((word) => word !== "") : argv;
}
