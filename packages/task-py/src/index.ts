/**
 * The script's side of flow: where its two files are, what the node-side runner is told, and what it leaves behind.
 */
import { fileURLToPath } from "node:url";

export type { ExitFacts } from "./exit-facts.ts";
export { factsOf } from "./exit-facts.ts";
export type { ExitRecord, StartedRecord } from "./results.ts";
export { parseExit, parseStarted } from "./results.ts";
export type { RunnerAction, RunnerSignal, RunnerSpec, SignalMeaning, StopSignal } from "./spec.ts";
export { jsonSpec, parseStopSignal, shellSpec } from "./spec.ts";

/** `flow_task.py`, in the folder that goes on PYTHONPATH and holds nothing else. */
export const flowTaskPath: string = fileURLToPath(
  new URL("../python/flow_task.py", import.meta.url),
);

/** The runner in POSIX sh. */
export const flowRunnerPath: string = fileURLToPath(new URL("../flow-runner.sh", import.meta.url));
